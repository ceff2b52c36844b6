//! Loads the subjects of a batch of deliveries: one read per kind of row, whatever their number.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::super::App;
use super::hold::could_leave_at;
use crate::error::{CorruptRow, StoreError};
use crate::notice::{BatchContext, MAY_HAVE_ARRIVED};
use crate::ports::{Claimed, DigestQuery, Lookup};
use crate::{
    Day, Delivery, DeliveryId, DeliveryState, Digest, MeetingId, Notice, NoticeKind, Participant, ParticipantId,
    Recipient, Timestamp, UserId, Viewer,
};

impl App {
    /// Loads everything that the batch needs.
    pub(in super::super) async fn load(&self, claims: &[Claimed], now: Timestamp) -> Result<BatchContext, StoreError> {
        let (mut users, mut tasks, mut meetings, mut participants) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for Claimed { delivery, .. } in claims {
            if let Recipient::User(id) = delivery.recipient {
                users.insert(id);
            }
            let Ok(needs) = delivery.notice.as_ref().map(Notice::needs) else { continue };
            tasks.extend(needs.task);
            if let Some((meeting, participant)) = needs.meeting {
                meetings.insert(meeting);
                participants.insert(participant);
            }
        }
        let mut batch = BatchContext {
            users: Lookup::new(),
            tasks: Lookup::new(),
            digests: HashMap::new(),
            attending: HashMap::new(),
            meetings: Lookup::new(),
            participants: Lookup::new(),
            revisions: Lookup::new(),
            in_flight: HashSet::new(),
            awaits_invitation: HashSet::new(),
            maybe_invited: HashSet::new(),
            suppressed: HashMap::new(),
            unsubscribed: HashSet::new(),
            owners: HashMap::new(),
        };
        if !tasks.is_empty() {
            batch.tasks = self.store.tasks_by_id(&Vec::from_iter(tasks), Viewer::Service).await?;
        }
        if !meetings.is_empty() {
            // People before the meeting: who answers or is moved in between is seen with a meeting at least as new.
            batch.participants = self.store.participants_by_id(&Vec::from_iter(participants)).await?;
            batch.meetings = self.store.meetings_by_id(&Vec::from_iter(meetings), Viewer::Service).await?;
            let of = |one: &Participant| {
                let versions = [one.told.map(|told| told.version), one.answered_since_told()];
                let meeting = one.meeting_id;
                versions.into_iter().flatten().map(move |version| (meeting, version))
            };
            let told: BTreeSet<_> = batch.participants.values().flatten().flat_map(of).collect();
            if !told.is_empty() {
                batch.revisions = self.store.revisions(&Vec::from_iter(told)).await?;
            }
            self.look_for_notices_in_flight(claims, &mut batch, now).await?;
            // The organizer's present address and language.
            users.extend(batch.meetings.values().flatten().filter_map(|meeting| meeting.created_by));
            // A guest may have got an account since this was planned.
            users.extend(batch.participants.values().flatten().filter_map(|participant| participant.user_id));
        }
        if !users.is_empty() {
            batch.users = self.store.users(&Vec::from_iter(users)).await?;
        }
        batch.digests = self.digests(claims, &batch, now).await?;
        batch.attending = self.attending(batch.digests.values().flatten()).await?;
        let bare = claims.iter().filter_map(|Claimed { delivery, .. }| match &delivery.recipient {
            Recipient::Address(address) => Some(address),
            Recipient::User(_) => None,
        });
        let theirs = batch.users.values().flatten().map(|user| &user.email);
        // Whoever has another address that is not verified is written to at the one they were invited by.
        let invited = batch.participants.values().flatten().map(|participant| &participant.email);
        let addresses: Vec<_> = bare.chain(theirs).chain(invited).cloned().collect();
        batch.suppressed = self.store.suppressed(&addresses).await?;
        self.load_opt_outs(claims, &mut batch).await?;
        Ok(batch)
    }

    /// Loads what addresses have opted out of that no account has verified, and the preferences of accounts whose address is
    /// written to by itself. A guest with a verified address is in the meeting with their account.
    async fn load_opt_outs(&self, claims: &[Claimed], batch: &mut BatchContext) -> Result<(), StoreError> {
        let ordinary = claims.iter().map(|claimed| &claimed.delivery).filter(|delivery| !delivery.kind.is_security());
        let (mut bare, mut readers) = (Vec::new(), Vec::new());
        for delivery in ordinary {
            match &delivery.recipient {
                Recipient::Address(address) if participant_of(delivery).is_none() => bare.push(address.clone()),
                Recipient::User(id) => readers.push(*id),
                Recipient::Address(_) => {}
            }
        }
        let unverified = |id: &UserId| batch.users.get(id)?.as_ref().ok().filter(|user| !user.email_verified);
        let is_open = |one: &&Participant| one.user_id.is_none_or(|id| unverified(&id).is_some());
        let invited = batch.participants.values().flatten().filter(is_open).map(|one| &one.email);
        let theirs = readers.iter().filter_map(unverified).map(|user| &user.email);
        let addresses: Vec<_> = bare.iter().chain(invited).chain(theirs).cloned().collect();
        if !addresses.is_empty() {
            batch.unsubscribed = self.store.unsubscribed(&addresses).await?;
        }
        if !bare.is_empty() {
            let owners = self.store.users_by_email(&bare).await?;
            batch.owners = owners.into_iter().map(|user| (user.email.key(), user.preferences)).collect();
        }
        Ok(())
    }

    /// Loads the days and the open tasks that summaries and reminders are about.
    async fn digests(
        &self,
        claims: &[Claimed],
        batch: &BatchContext,
        now: Timestamp,
    ) -> Result<HashMap<DeliveryId, Result<Digest, CorruptRow>>, StoreError> {
        let (mut ids, mut queries) = (Vec::new(), Vec::new());
        for Claimed { delivery, .. } in claims {
            let Recipient::User(user_id) = delivery.recipient else { continue };
            let Some(Ok(user)) = batch.users.get(&user_id) else { continue };
            let Some((date, whole)) = delivery.notice.as_ref().ok().and_then(|notice| notice.needs().digest) else {
                continue;
            };
            // What was held over midnight tells of the day on which it is read.
            let zone = &user.time_zone;
            let was_held = could_leave_at(delivery, &user.preferences, zone) > delivery.due_at;
            let date = if was_held { date.max(zone.wall_clock(now).at.date()) } else { date };
            ids.push(delivery.id);
            queries.push(DigestQuery { user_id, date, now, day: Day::of(date, &user.time_zone), whole });
        }
        if queries.is_empty() {
            return Ok(HashMap::new());
        }
        let scan = self.cohort_scan_port().map_err(|missing| StoreError::Internal(missing.into()))?;
        Ok(ids.into_iter().zip(scan.digests(&queries).await?).collect())
    }

    /// Loads the participants with an account of the meetings of these days.
    pub(in crate::app) async fn attending(
        &self,
        digests: impl IntoIterator<Item = &Digest>,
    ) -> Result<HashMap<(MeetingId, UserId), Participant>, StoreError> {
        let meetings: BTreeSet<_> =
            digests.into_iter().flat_map(|digest| &digest.meetings.items).map(|meeting| meeting.id).collect();
        if meetings.is_empty() {
            return Ok(HashMap::new());
        }
        let participants = self.store.participants(&Vec::from_iter(meetings)).await?.into_iter();
        let active = participants.filter(Participant::is_in);
        Ok(active.filter_map(|one| Some(((one.meeting_id, one.user_id?), one))).collect())
    }

    /// Finds participants whose invitation is being sent while they are notified of a change or a cancellation, and
    /// those whose cancellation is being sent while they are invited again ([`Needs::after`](crate::notice::Needs)).
    /// This is rare, so it reads once per meeting.
    async fn look_for_notices_in_flight(
        &self,
        claims: &[Claimed],
        batch: &mut BatchContext,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut unsure = BTreeSet::new();
        for Claimed { delivery, .. } in claims {
            let Ok(needs) = delivery.notice.as_ref().map(Notice::needs) else { continue };
            let (Some((meeting, participant)), Some(after)) = (needs.meeting, needs.after) else { continue };
            let participant = batch.participants.get(&participant).and_then(|found| found.as_ref().ok());
            let knows = |one: &Participant| one.told.is_some_and(|told| told.on);
            if participant.is_some_and(|participant| knows(participant) == (after == NoticeKind::MeetingCancel)) {
                unsure.insert((after, meeting));
            }
        }
        let here: HashSet<_> = claims.iter().map(|claimed| claimed.delivery.id).collect();
        for (kind, meeting) in unsure {
            let prefix = format!("{}/{meeting}/", kind.as_str().replace('_', "-"));
            let notices = self.store.deliveries_with_key(&prefix, MOST_NOTICES).await?;
            if kind == NoticeKind::MeetingInvite {
                let arrived = notices.iter().filter(|notice| may_have_arrived(notice));
                batch.maybe_invited.extend(arrived.filter_map(participant_of));
                let awaited = notices.iter().filter(|notice| leaves_by_itself(notice, now));
                batch.awaits_invitation.extend(awaited.filter_map(participant_of));
            }
            let claimed = notices.iter().filter(|notice| notice.state == DeliveryState::Claimed);
            // What is looked at together with it is no longer on its way when it is looked at again.
            let others = claimed.filter(|notice| kind == NoticeKind::MeetingInvite || !here.contains(&notice.id));
            batch.in_flight.extend(others.filter_map(participant_of).map(|participant| (kind, participant)));
        }
        Ok(())
    }
}

/// Returns whether a mail was offered to the relay without a known result: it was refused for now or got no reply
/// (which counts an attempt), or the sender that had claimed it never came back.
fn may_have_arrived(delivery: &Delivery) -> bool {
    let lost = delivery.reason == MAY_HAVE_ARRIVED;
    delivery.state != DeliveryState::Delivered && (lost || delivery.attempts > 0)
}

/// Returns whether a delivery is open and waits for nothing but the relay.
fn leaves_by_itself(delivery: &Delivery, now: Timestamp) -> bool {
    match delivery.state {
        DeliveryState::Claimed => true,
        DeliveryState::Scheduled => delivery.next_at <= now || delivery.last_error.is_some(),
        _ => false,
    }
}

/// Returns the participant of a meeting who is the recipient of a delivery.
fn participant_of(delivery: &Delivery) -> Option<ParticipantId> {
    delivery.notice.as_ref().ok().and_then(Notice::participant)
}

/// The most invitations or cancellations that are read of one meeting.
const MOST_NOTICES: u32 = 2_000;
