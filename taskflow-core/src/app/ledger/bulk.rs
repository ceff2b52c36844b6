//! Retrying and cancelling many deliveries at once.

use super::{App, CANCELLED_BY_HAND, DeliveryUseCases};
use crate::error::{Error, FieldError};
use crate::{
    Actor, BulkAction, BulkSelection, ChannelKind, DeliveryState, EmailAddress, NoticeKind, ReplyCode, Timestamp,
};

/// Selects the deliveries that are retried or cancelled together; at least one condition is needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only in these states; empty: those that are discarded when they are retried, and those that are open when they are
    /// cancelled.
    pub states: Vec<DeliveryState>,
    /// Only these kinds; empty: all kinds.
    pub kinds: Vec<NoticeKind>,
    /// Only on this channel.
    pub channel: Option<ChannelKind>,
    /// Only to this address: by itself, and by the account that has it now.
    pub recipient: Option<EmailAddress>,
    /// Only those whose last error contains this text.
    pub error: Option<String>,
    /// Only those whose last error contains this reply code or status as a word.
    pub code: Option<ReplyCode>,
    /// Only those that were due at this time or later.
    pub due_from: Option<Timestamp>,
    /// Only those that were due before this time.
    pub due_before: Option<Timestamp>,
    /// Only those that were settled or, while they are open, planned by this time. `None`: now.
    pub as_of: Option<Timestamp>,
}

/// The result of changing many deliveries at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkReport {
    /// The number of deliveries that were selected, up to [`App::MAX_SELECTED`].
    pub matched: u64,
    /// The number of deliveries that were changed: none in a dry run. Fewer than were selected when somebody else changed some
    /// meanwhile.
    pub changed: u64,
    /// Whether more deliveries are selected than one call changes.
    pub more: bool,
    /// The time as of which they were selected. A further call with it continues this one.
    pub as_of: Timestamp,
}

impl DeliveryUseCases<'_> {
    /// Schedules selected deliveries again, now; for administrators. Each is checked once more before it leaves. A dry run
    /// only counts.
    ///
    /// Fails with `Invalid` (`state`) for a state that cannot be retried.
    pub async fn retry_selected(
        self,
        actor: Actor,
        filter: &DeliveryFilter,
        dry_run: bool,
    ) -> Result<BulkReport, Error> {
        let action = BulkAction::Retry { at: self.app.clock.now() };
        let report = self.app.change_selected(actor, action, filter, dry_run).await?;
        if report.changed > 0 {
            self.app.outbox().nudge();
        }
        Ok(report)
    }

    /// Cancels selected deliveries; for administrators. Those that are being sent are only marked. A dry run only counts.
    ///
    /// Fails with `Invalid` (`state`) for a state that cannot be cancelled.
    pub async fn cancel_selected(
        self,
        actor: Actor,
        filter: &DeliveryFilter,
        dry_run: bool,
    ) -> Result<BulkReport, Error> {
        let action = BulkAction::Cancel { reason: CANCELLED_BY_HAND.to_owned(), at: self.app.clock.now() };
        self.app.change_selected(actor, action, filter, dry_run).await
    }
}

impl App {
    /// The number of deliveries that one call retries or cancels at most.
    pub const MAX_SELECTED: u32 = 50_000;

    /// Deliveries of one transaction: others wait no longer than for these.
    const CHANGED_AT_ONCE: usize = 500;

    async fn change_selected(
        &self,
        actor: Actor,
        action: BulkAction,
        filter: &DeliveryFilter,
        dry_run: bool,
    ) -> Result<BulkReport, Error> {
        self.admit_admin(actor).await?;
        let selection = self.bulk_selection(&action, filter).await?;
        let mut ids = self.store.selected(&selection, Self::MAX_SELECTED + 1).await?;
        let more = ids.len() > Self::MAX_SELECTED as usize;
        ids.truncate(Self::MAX_SELECTED as usize);
        let mut report = BulkReport { matched: ids.len() as u64, changed: 0, more, as_of: selection.as_of };
        if dry_run {
            return Ok(report);
        }
        let what = match action {
            BulkAction::Retry { .. } => "retry delivery",
            BulkAction::Cancel { .. } => "cancel delivery",
        };
        for page in ids.chunks(Self::CHANGED_AT_ONCE) {
            let changed = self.outbox.change_selected(&action, &selection, page).await?;
            report.changed += changed.len() as u64;
            changed.iter().for_each(|id| actor.acted(what, format_args!("delivery {id}")));
        }
        Ok(report)
    }

    async fn bulk_selection(&self, action: &BulkAction, filter: &DeliveryFilter) -> Result<BulkSelection, Error> {
        if (DeliveryFilter { as_of: None, ..filter.clone() }) == DeliveryFilter::default() {
            return Err(FieldError::new("state", "or another condition must be there").into());
        }
        if let Some(state) = filter.states.iter().find(|state| !action.states().contains(state)) {
            let right = match action {
                BulkAction::Retry { .. } => "must be discarded, cancelled or expired to be tried again",
                BulkAction::Cancel { .. } => "must be scheduled or claimed to be cancelled",
            };
            return Err(FieldError::new("state", format!("{right}, not {state}")).into());
        }
        let states = match (filter.states.as_slice(), action) {
            ([], BulkAction::Retry { .. }) => vec![DeliveryState::Discarded],
            ([], BulkAction::Cancel { .. }) => action.states().to_vec(),
            (states, _) => states.to_vec(),
        };
        let recipients = match &filter.recipient {
            Some(email) => Some(self.recipients_at(email.clone()).await?),
            None => None,
        };
        Ok(BulkSelection {
            states,
            kinds: filter.kinds.clone(),
            channel: filter.channel,
            recipients,
            error: filter.error.clone(),
            code: filter.code.clone(),
            due_from: filter.due_from,
            due_before: filter.due_before,
            as_of: filter.as_of.unwrap_or_else(|| self.clock.now()),
        })
    }
}
