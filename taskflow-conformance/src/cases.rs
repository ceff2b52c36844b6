//! The list of named cases that every store must pass. No case asks what a store is capable of.

mod accounts;
mod addresses;
mod agreement;
mod answers;
mod app;
mod bulk;
mod by_hand;
mod channels;
mod cleanup;
mod cluster;
mod commit;
mod contention;
mod contents;
mod custom_notices;
mod deletion;
mod digests;
mod edges;
mod fair;
mod feed;
mod holds;
mod invitations;
mod jobs;
mod ledger;
mod limits;
mod linked;
mod mail_report;
mod mailbox;
mod meetings;
mod merges;
mod monitoring;
mod moves;
mod news;
mod nodes;
mod opt_outs;
mod order;
mod outbox;
mod own_jobs;
mod people;
mod planning;
mod preferences;
mod quotas;
mod reminders;
mod repair;
mod replies;
mod runs;
mod schedules;
mod sender;
mod sessions;
mod slices;
mod slots;
mod standing;
mod statistics;
mod strangers;
mod summaries;
mod suppressions;
mod sweeps;
mod tallies;
mod tasks;
mod tokens;
mod upkeep;
mod users;
mod watched;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::OpenStore;

/// One requirement on every store. A case takes an empty store of its own and panics when it fails.
pub struct Case {
    /// The name of its file and the requirement as a sentence, as in `users::names_are_unique`.
    pub name: &'static str,
    /// Runs the case.
    pub run: fn(Arc<dyn OpenStore>) -> BoxFuture<'static, ()>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! cases {
    ($($file:ident { $($name:ident,)+ })+) => {
        vec![$($(Case {
            name: concat!(stringify!($file), "::", stringify!($name)),
            run: |store| Box::pin($file::$name(store)),
        },)+)+]
    };
}

/// The cases of the outbox, for one channel.
macro_rules! outbox_cases {
    ($prefix:literal, $channel:ty) => {
        outbox_cases! { $prefix, $channel;
            planning_a_key_twice_plans_it_once,
            a_cancelled_delivery_is_revived_under_its_old_id,
            what_was_delivered_is_never_planned_again,
            only_what_is_due_is_claimed,
            the_higher_priority_leaves_first_and_then_the_earlier,
            a_limit_bounds_a_claim,
            kinds_that_were_not_asked_for_stay,
            nobody_else_can_claim_what_is_claimed,
            claims_at_once_never_share_a_delivery,
            a_lapsed_claim_is_taken_over_and_the_sleeper_changes_nothing,
            the_first_claim_dates_the_mail_and_later_ones_do_not,
            every_outcome_leaves_its_state_and_traces,
            failed_attempts_are_kept_one_by_one,
            a_released_delivery_has_used_no_attempt,
            a_settled_delivery_cannot_be_settled_again,
            cancelled_while_claimed_is_delivered_when_it_was_sent,
            cancelled_while_claimed_is_cancelled_when_it_was_not_sent,
            planning_again_takes_back_a_cancel_mark,
            what_is_planned_again_after_the_look_that_dropped_it_is_scheduled_once_more,
            cancelling_what_is_done_or_unknown_changes_nothing,
            renewed_claims_hold_and_lost_ones_are_not_renewed,
            the_backlog_tells_the_oldest_due_and_the_next_try,
            what_could_not_be_sent_is_late_while_it_waits_for_its_next_try,
            what_is_held_forgets_what_kept_it_and_is_late_from_the_end_of_the_hold,
            only_what_is_scheduled_is_rescheduled,
            the_ledger_counts_every_state_and_balances,
            deliveries_are_listed_by_id_page_by_page,
        }
    };
    ($prefix:literal, $channel:ty; $($name:ident,)+) => {
        [$(Case {
            name: concat!($prefix, "::", stringify!($name)),
            run: |store| Box::pin(outbox::$name::<$channel>(store)),
        },)+]
    };
}

/// Returns the whole suite, in the order of its files.
#[must_use]
pub fn cases() -> Vec<Case> {
    let mut cases = cases! {
        commit {
            empty_changes_are_fine,
            a_failing_write_leaves_nothing_of_the_whole,
            two_changes_of_one_version_have_one_winner,
            a_commit_under_a_scope_that_does_not_hold_is_stale_and_leaves_nothing,
            hundreds_of_rows_of_every_kind_fit_one_commit,
            a_loser_is_named_by_the_index_of_its_write,
            a_row_for_somebody_who_is_gone_is_stale,
            the_store_answers_a_ping,
        }
        users {
            a_user_round_trips_to_the_microsecond,
            names_are_unique_regardless_of_case_and_unicode_form,
            addresses_are_unique_regardless_of_case,
            a_change_to_a_taken_name_or_address_is_refused,
            a_name_that_passes_for_another_is_refused_and_a_stored_one_stays,
            an_update_needs_the_version_before_it,
            people_are_listed_by_id_page_by_page,
            people_are_loaded_at_once_and_unknown_ids_are_left_out,
            deleting_a_user_takes_everything_of_theirs_and_cancels_their_mail,
            deleting_a_user_who_is_gone_is_stale,
        }
        accounts {
            an_account_is_found_by_name_or_address_in_any_case,
            a_credential_can_be_absent_and_replaced,
        }
        sessions {
            a_session_round_trips_open_and_ended,
            a_refresh_needs_the_version_before_it_and_an_open_session,
            open_sessions_are_listed_and_ended_ones_announced,
            deleting_a_user_ends_their_sessions,
            a_token_refreshes_once_and_its_second_use_ends_the_session,
            two_windows_that_refresh_at_once_get_one_successor,
            another_password_and_a_locked_account_end_every_session,
            nobody_ends_somebody_elses_session,
            a_confirmed_session_has_a_fresh_proof_until_it_ends,
        }
        limits {
            a_bucket_admits_its_burst_and_then_tells_how_long_to_wait,
            a_bucket_fills_with_time,
            a_take_is_from_all_buckets_or_from_none,
            what_is_given_back_can_be_taken_again,
            takes_at_once_never_exceed_the_burst,
            full_buckets_are_removed_and_others_stay,
        }
        deletion {
            a_deleted_account_is_absent_and_its_name_is_free,
            nobody_acts_as_a_deleted_account_or_invites_it,
            what_an_account_leaves_is_cleared_by_bounded_commits,
            an_interrupted_deletion_is_completed_by_its_job,
            an_account_that_others_keep_inviting_is_deleted,
            somebody_whose_session_outlives_the_account_revives_no_meeting,
        }
        quotas {
            what_fits_is_counted_and_what_does_not_is_refused,
            counting_begins_anew_after_its_time_and_with_a_new_account,
            of_many_commits_at_once_those_that_fit_succeed,
            rows_that_were_there_before_are_counted_once,
            a_task_fits_again_once_another_is_in_the_trash,
            operations_in_bulk_are_refused_from_the_first_that_does_not_fit,
            meetings_that_lie_ahead_and_people_who_are_invited_are_counted,
        }
        opt_outs {
            a_notice_of_a_host_reaches_no_address_that_opted_out_on_any_channel,
            what_a_guest_ended_stays_ended_for_an_unverified_account,
            what_an_account_switched_off_is_off_for_its_address_alone,
            an_account_gets_nothing_but_security_before_it_is_verified,
            an_invitation_names_the_address_of_its_organizer_once_it_is_verified,
            reminders_by_hand_cool_down_for_each_person,
        }
        strangers {
            an_unverified_account_reaches_a_few_strangers_a_day_by_whatever_way,
            of_many_invitations_at_once_those_to_a_few_strangers_succeed,
            whoever_has_accepted_is_no_stranger_with_or_without_an_account,
            acceptances_are_found_by_address_and_organizer,
        }
        tokens {
            a_token_round_trips_and_is_used_once,
            a_token_goes_with_its_owner,
            tokens_are_revoked_by_person_and_purpose,
            a_token_used_by_many_at_once_is_used_by_one,
            who_verifies_their_address_finds_the_meetings_that_wait_for_it,
            screens_hear_once_of_the_meetings_that_a_verified_address_brings,
            a_link_is_worth_nothing_for_another_address_and_after_its_time,
            a_lost_password_is_replaced_once_by_link,
        }
        answers {
            an_answer_stands_for_a_day_and_then_makes_room,
            a_repeated_request_is_done_once_and_answered_alike,
            repeats_at_once_make_one_row,
            operations_in_bulk_are_done_each_or_not_at_all,
            a_repeated_bulk_is_done_once,
        }
        tasks {
            a_task_round_trips_with_and_without_its_optional_fields,
            a_task_of_another_owner_is_absent,
            an_update_needs_the_version_before_it,
            tasks_are_loaded_at_once_and_unknown_ids_are_left_out,
            the_newest_come_first_without_a_sort,
            filters_narrow_the_list_and_count_together,
            due_bounds_include_the_first_instant_and_exclude_the_last,
            tasks_that_are_due_on_a_day_are_told_from_others,
            overdue_means_open_and_due_before_now,
            words_are_found_in_title_and_description_in_any_case_and_order,
            words_are_found_without_regard_to_accents,
            search_signs_have_no_special_meaning,
            every_sort_orders_both_ways_and_ties_by_id,
            pages_count_everything_and_end_empty,
            the_trash_is_a_list_of_its_own,
            the_summary_counts_by_status_and_leaves_out_the_trash,
        }
        feed {
            each_owner_has_a_feed_without_gaps,
            a_feed_is_read_on_from_a_sequence,
            several_feeds_are_read_at_once,
            heads_tell_where_feeds_end_whatever_is_left_of_them,
            whoever_follows_gets_everything_or_is_told_to_begin_anew,
            events_for_people_who_do_not_exist_reach_the_others,
            many_at_once_leave_no_gap_in_a_feed,
            history_tells_an_entity_oldest_first,
            a_page_of_long_events_is_short_and_the_next_one_goes_on,
            an_event_round_trips_with_its_data,
        }
        holds {
            what_becomes_of_a_meeting_before_quiet_hours_end_is_told_at_once,
            a_change_of_a_meeting_that_begins_soon_waits_for_no_other,
            what_is_overdue_waits_for_quiet_hours_to_end,
            of_reminders_by_hand_that_say_the_same_one_leaves_after_quiet_hours,
            an_organizer_learns_in_quiet_hours_who_left_a_meeting_within_them,
            a_meeting_that_moves_into_quiet_hours_is_told_though_its_invitation_waits,
            a_summary_that_was_held_is_of_use_from_the_end_of_the_hold,
            of_reminders_of_open_tasks_that_were_held_the_last_leaves,
            a_task_due_in_quiet_hours_is_reminded_of_before_them,
            a_task_made_in_the_quiet_hours_it_is_due_in_is_reminded_of_within_them,
            reminders_follow_quiet_hours_that_are_set_later_and_clocks_that_move,
            whoever_ends_their_quiet_hours_gets_what_waited,
        }
        fair {
            whoever_floods_delays_nobody_elses_reminder,
            what_the_clock_makes_due_never_waits_for_what_is_caused_by_hand,
            what_several_accounts_cause_by_hand_interleaves,
            many_small_commits_and_many_kinds_are_no_way_around_it,
            commits_of_one_account_at_once_all_succeed_and_take_turns,
            what_is_moved_into_one_minute_takes_turns_there,
            what_is_held_until_one_minute_takes_turns_there,
            what_is_tried_again_keeps_its_turn,
            the_service_itself_takes_no_turns,
            only_what_is_due_and_free_of_some_deliveries_is_claimed,
            a_reminder_brings_along_the_invitation_that_waits_for_its_turn,
            a_reminder_of_a_task_brings_along_its_status,
        }
        order {
            a_reminder_leaves_behind_the_invitation_it_comes_with,
            a_reminder_waits_for_an_invitation_that_is_tried_again,
            what_has_been_given_up_keeps_nothing_waiting,
            a_reminder_does_not_wait_until_it_is_of_no_use,
            what_nobody_comes_back_for_is_waited_for_no_longer_than_of_use,
            of_a_cancelled_meeting_neither_its_invitation_nor_its_reminder_leaves,
            what_is_held_keeps_nothing_waiting,
            what_was_held_leaves_in_order,
            when_the_relay_is_back_mail_leaves_in_order,
            another_node_sends_no_reminder_while_the_invitation_is_on_its_way,
            a_change_is_told_no_later_than_people_are_reminded_of_its_new_time,
            tasks_due_in_one_minute_are_one_mail_to_each_person,
            a_mail_of_several_tasks_is_the_same_when_it_is_tried_again,
            after_a_crash_a_mail_of_several_tasks_is_the_same_again,
            many_tasks_are_mails_of_fifty,
            a_status_and_a_reminder_of_a_task_leave_in_order,
        }
        channels {
            each_channel_tells_a_person_once_of_the_same_thing,
            what_is_found_by_the_beginning_of_its_key_is_cancelled_on_both_channels,
            one_channel_that_is_away_delays_no_other,
            one_channel_that_hangs_delays_no_other,
            deliveries_of_a_channel_that_nobody_registered_wait,
            suppressed_mail_and_a_blocked_push_are_no_concern_of_each_other,
            what_a_reader_does_not_want_or_what_is_late_leaves_on_no_channel,
            a_refused_push_is_tried_again_and_given_up_like_a_mail,
            an_effect_is_written_exactly_when_its_settlement_counts,
            the_ledger_balances_for_each_channel_and_in_sum_also_after_a_purge,
        }
        edges {
            somebody_who_leaves_makes_no_gap_in_the_feed_of_others,
            the_data_of_an_event_is_kept_as_it_was_written,
            whatever_a_relay_says_is_kept,
            settling_twice_in_one_call_counts_once,
            settling_and_renewing_nothing_is_fine,
            of_many_new_people_the_one_whose_name_is_taken_is_named,
            words_and_names_with_the_character_nul_find_nothing,
        }
        mailbox {
            kept_mail_is_read_newest_first_and_by_id,
            keeping_a_mail_again_changes_nothing,
            the_newest_five_hundred_are_kept,
        }
        meetings {
            a_meeting_round_trips_with_all_and_no_optional_fields,
            a_meeting_is_there_for_who_is_in_it_and_for_its_organizer,
            meetings_are_loaded_at_once_and_unknown_ids_are_left_out,
            the_status_of_a_list_follows_the_clock,
            start_bounds_include_the_first_instant_and_exclude_the_last,
            words_are_found_in_title_description_and_place_in_any_case,
            every_sort_of_meetings_orders_both_ways_and_ties_by_id,
            pages_of_meetings_count_everything_and_end_empty,
            an_update_needs_the_version_before_it,
            a_meeting_of_somebody_who_is_gone_is_stale,
            a_confirmed_start_changes_the_database_version_alone,
            meetings_of_older_zone_rules_are_found_while_they_matter,
            the_newest_revision_that_is_not_later_is_found,
            a_local_start_means_the_zone_of_the_meeting,
        }
        agreement {
            an_expected_version_of_a_meeting_is_checked_and_changes_nothing,
            expected_participants_count_everybody_as_they_were_before,
            an_answer_and_a_move_at_once_have_one_winner,
            answers_at_once_all_win,
        }
        people {
            a_participant_round_trips_with_all_and_no_optional_fields,
            participants_are_listed_by_meeting_and_id_also_the_removed,
            an_address_comes_once_in_a_meeting,
            an_update_needs_the_version_before_it,
            a_participant_whose_account_is_gone_is_stale,
            only_a_verified_address_finds_its_person_in_any_case,
            guests_become_the_account_of_their_address_where_it_is_not_in_yet,
            a_link_made_meanwhile_is_noticed_by_who_decided_before_it,
            the_meetings_that_wait_for_somebody_are_those_that_linking_lists,
            deleting_a_user_leaves_meetings_and_participants_without_the_id,
            what_was_told_is_written_by_settlements_alone,
            a_lost_lease_tells_nobody_anything,
            many_are_told_at_once,
        }
        planning {
            deliveries_are_found_by_the_beginning_of_their_keys_in_byte_order,
            a_meeting_is_unplanned_while_one_of_its_keys_is_missing,
            what_asks_for_no_reminder_is_not_unplanned,
            sweeps_go_on_where_they_were,
            five_hundred_people_fit_one_commit,
            fifty_large_meetings_at_once_are_all_called,
        }
        app {
            a_due_day_ends_where_its_owner_lives_and_moves_with_them,
            registering_welcomes_exactly_once,
            a_taken_name_plans_no_mail,
            another_password_is_told_to_the_address_before_the_change,
            a_locked_account_gets_no_mail,
            a_task_reminds_its_owner_once_in_its_minute,
            moving_a_task_cancels_its_reminder_and_moving_it_back_revives_it,
            a_completed_or_trashed_task_does_not_remind,
            a_reminder_whose_minute_passed_leaves_at_once,
            a_reminder_that_slept_too_long_expires,
            somebody_elses_task_does_not_exist,
            an_expected_version_decides_who_wins,
            a_trashed_task_comes_back_as_it_was,
            only_who_runs_the_service_changes_standing,
        }
        reminders {
            a_reminder_by_hand_and_an_invitation_are_done_once_however_often_they_are_asked_for,
            everybody_is_reminded_once_in_their_minute,
            own_reminders_leave_each_in_its_minute,
            other_minutes_replace_the_reminders_that_were_planned,
            of_several_reminders_whose_minutes_have_passed_the_nearest_leaves,
            a_reminder_by_hand_is_one_of_its_own,
            moving_cancels_and_moving_back_revives_and_nobody_is_reminded_twice,
            a_cancelled_meeting_reminds_nobody_until_it_is_restored,
            a_reminder_of_another_start_that_was_left_behind_is_not_sent,
            an_ended_meeting_reminds_nobody,
            who_declined_is_not_reminded_until_they_accept,
            a_reminder_whose_minute_passed_leaves_at_once_unless_the_meeting_has_begun,
            after_downtime_what_has_not_begun_is_reminded_and_the_rest_expires,
            the_organizer_reminds_by_hand_whoever_did_not_decline,
            somebody_elses_meeting_does_not_exist,
        }
        custom_notices {
            a_notice_of_a_host_is_sent_once_unless_it_is_unwanted_or_late,
            a_notice_of_a_host_has_a_thread_a_reply_address_and_a_page,
            a_notice_that_this_process_does_not_send_is_kept_and_counted,
        }
        news {
            on_again_while_the_cancellation_is_on_its_way_is_an_invitation,
            an_invitation_without_an_answer_of_the_relay_is_followed_by_its_cancellation,
            an_invitation_whose_sender_died_is_followed_by_its_cancellation,
            a_cancellation_names_the_meeting_as_it_was_known,
            another_address_gets_mail_of_meetings_once_it_is_verified,
        }
        invitations {
            a_burst_of_edits_becomes_one_mail_with_the_net_change,
            nobody_waits_longer_than_five_minutes_for_quiet,
            changed_and_changed_back_tells_nothing,
            after_downtime_several_changes_are_one_mail,
            invited_and_changed_before_the_invitation_left_is_one_invitation,
            cancelled_before_the_invitation_left_tells_nobody_anything,
            off_and_on_again_before_anybody_was_told_is_no_news,
            an_edit_while_the_mail_is_on_its_way_is_told_by_the_next,
            a_cancellation_while_the_invitation_is_on_its_way_is_told,
            who_is_taken_off_is_told_alone_and_may_be_invited_again,
            the_organizer_is_told_who_left,
            who_left_and_is_invited_again_hears_of_it,
            a_guest_who_verifies_their_address_finds_their_meetings,
            a_guest_is_written_to_in_their_own_language_or_the_organizers,
            a_deleted_account_cancels_its_meetings_and_leaves_the_others,
            a_meeting_is_called_once_however_often_it_is_asked_for,
            answers_and_moves_at_once_lose_no_reminder,
        }
        replies {
            a_calendars_answer_counts_when_it_is_theirs_fresh_and_of_this_sequence,
            of_several_attendees_it_is_the_senders_answer,
            an_assistant_answers_for_somebody_of_their_organization_alone,
            an_answer_without_a_time_was_given_when_it_came,
            who_proposes_another_time_may_come_and_the_organizer_is_told,
            edits_that_undid_each_other_leave_answers_valid,
            invitations_carry_the_meeting_for_calendars_and_reminders_do_not,
            a_guest_answers_by_link_until_they_are_taken_off,
        }
        standing {
            an_answer_to_a_version_that_never_was_does_not_count,
            another_time_asks_everybody_again_and_reminds_who_had_declined,
            time_place_and_length_count_and_words_do_not,
            edits_that_undo_each_other_before_anybody_is_told_lose_no_answer,
            moved_back_after_people_were_told_asks_again,
            who_answered_what_was_undone_since_is_asked_by_mail,
            an_answer_to_an_older_version_is_refused_with_what_changed,
            on_again_asks_whoever_was_told_that_it_is_off,
            who_is_invited_again_is_asked_by_the_same_rule,
            other_rules_of_a_zone_leave_answers_standing,
        }
        merges {
            the_guest_of_a_verified_address_merges_with_the_persons_own_participant,
            no_door_lets_a_person_in_twice,
            of_two_participants_the_one_in_the_meeting_stands_for_both,
            a_guest_is_not_added_for_an_address_that_was_verified_meanwhile,
            meetings_with_a_person_and_a_guest_of_their_address_are_found,
        }
        addresses {
            updates_and_answers_name_the_address_where_somebody_is_now,
            a_former_address_stands_for_whoever_shows_that_it_is_theirs,
            what_a_guest_ended_is_ended_when_they_are_a_guest_again,
            guests_read_what_they_were_given_and_else_what_the_organizer_reads,
            what_a_guest_ends_belongs_to_the_address_and_can_be_undone,
            what_a_guest_ended_stays_ended_when_the_address_becomes_an_accounts,
            by_hand_only_those_are_reminded_whom_it_reaches,
            what_was_ended_is_kept_by_address_and_kind,
        }
        repair {
            what_was_left_unplanned_is_planned_once,
            many_meetings_are_repaired_page_by_page,
            what_was_cancelled_by_hand_stays_cancelled,
            other_rules_of_a_zone_move_the_meeting_and_people_are_told,
            an_edit_before_the_sweep_keeps_what_people_agreed_on,
            the_same_start_by_other_rules_is_only_confirmed,
        }
        sender {
            a_refusal_for_now_is_tried_again_on_schedule_and_then_given_up,
            a_refusal_for_good_is_given_up_at_once,
            a_relay_that_is_away_costs_no_attempt,
            what_a_relay_says_about_itself_for_an_hour_costs_no_mail_and_no_attempt,
            what_a_broken_directory_says_of_everybody_costs_two_mails_at_most,
            attempts_whose_result_is_not_known_do_not_count_against_a_mail,
            a_refusal_that_is_unclear_ends_a_mail_only_while_the_relay_takes_others,
            a_large_backlog_is_sent_once_each,
            two_senders_share_the_work_and_double_nothing,
            a_draining_sender_gives_back_what_it_holds,
            nobody_else_claims_a_mail_that_is_on_its_way_for_longer_than_a_lease,
            a_mail_in_doubt_is_repeated_byte_for_byte,
            a_slow_mail_keeps_no_other_waiting,
        }
        preferences {
            preferences_round_trip_wherever_a_person_is_read,
            of_two_changes_of_preferences_at_once_one_is_stale,
            a_click_between_reading_and_changing_preferences_is_not_lost,
            a_click_and_a_change_at_once_both_hold,
            an_expected_version_of_preferences_decides_who_wins,
            a_kind_that_is_switched_off_gets_no_mail,
            quiet_hours_hold_mail_until_they_end_and_use_no_attempt,
            held_mail_is_dated_at_the_end_of_the_hold_however_often_it_is_tried,
            what_protects_the_account_does_not_wait_for_quiet_to_end,
            a_reminder_of_a_meeting_that_begins_in_quiet_hours_passes_them,
            one_click_ends_a_kind_for_a_person,
            only_what_recurs_carries_a_link_that_ends_it,
        }
        linked {
            of_several_postponements_the_last_one_reminds_and_the_due_time_stays,
            a_postponement_is_taken_back_and_the_reminder_leaves_as_planned,
            a_task_is_completed_by_a_link_once_and_reminds_no_more,
            a_link_that_leads_nowhere_says_why,
            guests_see_numbers_and_the_organizer_sees_who_answers_what,
        }
        suppressions {
            suppressed_addresses_are_found_in_any_case,
            suppressions_are_listed_by_key_page_by_page,
            what_is_known_of_a_suppressed_address_stays,
            an_address_gets_mail_again_in_any_case_and_others_stay,
            mails_that_leave_all_the_same_are_counted,
            what_somebody_asks_for_leaves_although_they_complained,
            after_a_bounce_a_few_links_leave_and_using_one_lifts_it,
            the_organizer_is_told_once_whom_an_invitation_does_not_reach,
            a_report_about_an_invitation_is_told_until_a_later_mail_arrives,
            a_mailbox_that_was_refused_gets_no_more_mail,
            a_refusal_that_is_not_about_the_mailbox_suppresses_nobody,
            what_comes_back_for_good_suppresses_its_address,
            a_report_is_about_whom_the_mail_was_sent_to_and_never_about_a_stranger,
            a_report_about_a_link_is_about_the_address_it_was_made_for,
            only_who_runs_the_service_sees_and_changes_suppressions,
        }
        mail_report {
            a_mail_report_names_the_account_the_suppression_and_the_latest_mail,
            a_mail_report_tells_guests_from_strangers,
            a_mail_report_goes_by_when_mail_left,
            a_mail_report_names_what_a_guest_has_unsubscribed_from,
            a_job_by_local_clocks_is_due_next_when_the_first_clock_shows_it,
        }
        ledger {
            deliveries_are_found_by_kinds_and_states_newest_first,
            deliveries_are_found_from_an_id_on,
            deliveries_are_counted_by_state_up_to_a_limit,
            the_ledger_names_recipients_and_subjects_and_is_searched_by_them,
            deliveries_are_found_by_their_recipients_in_any_case,
            what_was_given_up_begins_again_when_it_is_tried_again,
            only_what_was_given_up_is_tried_again,
            who_runs_the_service_tries_again_and_cancels,
        }
        bulk {
            many_are_selected_by_what_they_have_in_common,
            what_reaches_a_state_later_is_not_selected,
            what_is_no_longer_selected_stays_as_it_is,
            administrators_retry_and_cancel_many_at_once,
        }
        by_hand {
            a_letter_by_hand_to_three_addresses_is_three_deliveries,
            a_sample_of_every_kind_can_be_looked_at,
            a_repeated_letter_is_sent_once_and_answered_alike,
        }
        nodes {
            nodes_that_beat_see_each_other_as_they_said_by_id,
            a_heartbeat_again_takes_the_place_of_the_one_before,
            a_node_that_lapsed_is_told_of_but_not_live_until_it_beats,
            silence_is_measured_from_the_last_heartbeat,
            a_node_that_leaves_is_gone_at_once,
            a_name_belongs_to_whoever_was_started_last_until_they_lapse,
            nodes_silent_for_long_are_forgotten_and_live_ones_never,
            nodes_that_beat_at_once_hear_of_each_other,
            only_who_runs_the_service_sees_nodes_page_by_page,
            members_share_the_rate_and_take_over_what_is_left,
            a_member_that_slept_past_its_lapse_gets_nothing_until_there_is_room,
            a_member_that_lapsed_is_not_waited_for,
            a_member_hears_that_somebody_else_goes_by_its_name,
            a_node_whose_clock_is_wrong_sends_and_runs_nothing_and_issues_no_token,
            a_clock_that_jumps_is_wrong_at_once_and_right_again_when_it_is_set_back,
            a_member_says_how_far_its_clock_is_ahead,
        }
        slots {
            a_job_is_taken_up_and_a_slot_passed_by_one_of_many,
            of_many_who_claim_a_slot_one_holds_its_run_and_the_slot_moves,
            a_slot_that_is_not_there_is_not_claimed,
            a_paused_job_is_not_claimed_and_a_resumed_one_has_skipped_what_came_due,
            a_slot_that_was_run_by_hand_is_passed,
            a_dry_run_takes_no_slot,
        }
        runs {
            a_run_that_was_left_is_taken_by_one_of_many_with_what_it_had_saved,
            who_slept_too_long_changes_nothing_at_all,
            who_comes_back_before_anybody_took_over_goes_on,
            a_run_that_is_over_stays_over_and_leaves_its_memo,
            of_a_job_one_run_is_held_at_a_time,
            runs_are_listed_newest_first_page_by_page,
            a_run_round_trips_with_everything_it_has,
        }
        sweeps {
            moments_are_somebodys_by_zone_and_minute,
            recipients_come_by_minute_and_id_page_by_page,
            who_is_not_to_be_told_is_looked_at_and_left_out,
            what_was_done_yesterday_is_told_and_nothing_else_that_was_done,
            meetings_that_begin_today_are_told_to_who_comes,
        }
        digests {
            what_was_done_last_comes_first,
            the_longest_overdue_comes_first,
            what_is_due_first_comes_before_what_matters_more,
            where_nothing_is_due_soon_the_rest_comes_by_priority,
            the_meetings_of_a_day_come_by_their_start,
            of_many_the_first_are_shown_and_all_are_counted,
            each_question_has_its_own_digest,
        }
        upkeep {
            tasks_completed_long_ago_come_in_the_order_of_their_completion,
            tasks_leave_the_trash_with_their_history_and_feeds_still_tell_of_them,
            cancelled_meetings_go_with_everybody_in_them,
            the_ledger_balances_without_the_deliveries_that_it_counts,
            feeds_are_purged_from_their_beginning_and_go_on_counting,
            sessions_tokens_and_answers_go_when_they_are_over,
            runs_go_but_the_last_scheduled_one_of_a_job_stays,
        }
        tallies {
            who_changed_something_is_told_by_their_feeds,
            tasks_are_counted_by_owner_outside_the_trash,
            completions_are_read_also_from_the_trash,
            what_was_counted_replaces_what_was_counted_before_and_goes_with_its_owner,
            people_are_listed_with_what_was_counted_of_them,
            meetings_and_deliveries_are_counted_page_by_page,
            of_the_last_mails_those_that_were_sent_given_up_or_late_are_told,
        }
        contention {
            thirty_two_writers_of_one_task_are_all_done_and_keep_what_others_wrote,
            a_version_that_was_asked_for_is_still_changed_by_one_writer_only,
            changes_in_bulk_of_the_same_tasks_are_all_done,
            an_organizer_moves_a_meeting_while_everybody_answers,
        }
        own_jobs {
            a_job_of_a_host_is_run_by_its_schedule_page_by_page,
            a_job_of_a_host_is_run_by_hand_dry_paused_and_by_another_plan,
            a_run_of_a_job_that_this_binary_does_not_have_is_left_alone_and_shown,
        }
        jobs {
            a_run_tells_what_it_did,
            a_slot_that_is_run_by_hand_is_run_once,
            a_run_for_now_is_for_whoever_has_not_had_theirs_today,
            a_paused_job_waits_and_does_not_make_up_for_it,
            slots_that_nobody_was_there_for_are_skipped_or_made_up_for_and_counted,
            only_who_runs_the_service_sees_and_moves_jobs,
            a_store_that_is_away_is_waited_for_a_day_and_not_for_ever,
        }
        cluster {
            a_run_goes_on_at_the_page_its_node_died_over,
            a_run_goes_on_behind_people_who_left_while_nobody_had_it,
            a_node_that_slept_finds_its_run_taken_and_leaves_it_alone,
            a_node_that_is_to_end_gives_its_run_to_another,
            three_nodes_that_die_at_random_lose_and_double_nothing,
        }
        summaries {
            a_week_of_march_and_april_tells_everybody_once_a_day,
            a_week_of_october_and_november_tells_everybody_once_a_day,
            who_travels_hears_of_each_date_once,
            after_thirty_hours_what_is_too_late_is_counted,
        }
        schedules {
            a_slot_that_lies_ahead_cannot_be_asked_for,
            any_slot_that_lies_behind_is_run_and_any_ahead_is_refused,
            a_slot_by_hand_brings_with_it_what_came_due_before,
            a_slot_far_ahead_of_the_clock_is_set_back,
            what_is_done_by_one_clock_is_due_at_its_slot_for_everybody,
        }
        moves {
            who_moves_past_a_reminder_gets_the_last_one_of_the_day_once,
            only_what_is_planned_by_peoples_clocks_is_left_behind,
            who_chooses_a_minute_that_has_passed_gets_their_summary_once,
            who_says_where_they_are_has_moved_past_nothing,
            a_day_that_is_skipped_brings_nothing,
        }
        contents {
            a_summary_tells_what_was_done_and_what_the_day_brings,
            whom_there_is_nothing_to_tell_gets_no_mail,
            open_tasks_are_told_of_in_the_morning_and_in_the_evening,
        }
        cleanup {
            a_completed_task_goes_to_the_trash_and_then_for_good,
            a_slot_of_another_time_removes_nothing_before_it_has_served,
            what_was_sent_is_not_planned_again_however_short_the_ledger_is,
            a_dry_run_counts_what_a_run_removes_however_short_things_are_kept,
            a_reminder_cancelled_by_hand_is_not_planned_again_however_short_the_ledger_is,
        }
        slices {
            slices_shrink_while_the_store_is_slow_and_grow_again,
        }
        monitoring {
            mail_that_waits_is_told_once_and_once_when_it_is_gone,
            what_goes_wrong_besides_is_told_and_a_dry_run_tells_nobody,
            after_an_outage_the_latest_news_is_told_alone,
            mail_that_waits_for_its_next_try_goes_on_being_late,
            late_reminders_given_up_mail_and_refused_requests_are_told,
        }
        statistics {
            a_streak_grows_by_the_day_and_breaks,
            only_whose_tasks_changed_are_counted_again,
            the_totals_are_those_of_the_last_count,
            the_whole_service_is_counted_page_by_page_and_whom_nobody_has_counted,
            who_asks_for_the_totals_of_many_waits_for_a_part_of_them,
        }
    };
    cases.extend(outbox_cases!("outbox", outbox::Mail));
    cases.extend(outbox_cases!("outbox_push", outbox::Push));
    cases
}
