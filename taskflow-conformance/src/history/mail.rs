//! Mail preferences of users, and the operator's actions on mail, in a random history.

use proptest::prelude::*;
use taskflow_core::ports::{Clock, DeliveryQuery};
use taskflow_core::{
    Actor, Changes, DeliveryState, DeliveryWrite, LocalMinute, NoticeKind, Precondition, Preferences, QuietHours,
    Recipient, Suppression, SuppressionCause, SuppressionWrite, Weekdays, Write,
};

use super::{Play, pick, shown};
use crate::sample::new_user;

/// One thing that somebody does about mail. Numbers choose among what exists, wrapping around.
#[derive(Debug, Clone)]
pub enum MailStep {
    /// A person wants other mail at other times.
    Prefer(u8, u8),
    /// An address gets no mail any more, or gets it again.
    Suppress(u8, bool),
    /// A delivery is tried again, if it was given up.
    Retry(u8),
    /// The ledger is asked for what went to a person and to their address, perhaps in some state, after some delivery.
    List(u8, u8),
}

/// Any of them.
pub(super) fn step() -> impl Strategy<Value = MailStep> {
    let any = any::<u8>;
    prop_oneof![
        2 => (any(), any()).prop_map(|(who, how)| MailStep::Prefer(who, how)),
        2 => (0_u8..8, proptest::bool::ANY).prop_map(|(which, again)| MailStep::Suppress(which, again)),
        3 => any().prop_map(MailStep::Retry),
        1 => (any(), any()).prop_map(|(who, how)| MailStep::List(who, how)),
    ]
}

impl Play<'_> {
    pub(super) async fn mail_step(&self, step: &MailStep) -> String {
        match *step {
            MailStep::Prefer(who, how) => {
                let Some(id) = pick(&self.users, who) else { return String::new() };
                let wanted = preferences(how).into();
                shown(&self.app.accounts().change_preferences(Actor::User(id), &wanted, Precondition::Any).await)
            }
            MailStep::Suppress(which, again) => {
                let name = if which < 4 { "user" } else { "USER" };
                let email = new_user(&format!("{name}-{}", which % 4)).email;
                let cause = SuppressionCause::ALL[usize::from(which % 4)];
                let new = Suppression::new(email.clone(), cause, String::new(), self.clock.now());
                let write = if again { SuppressionWrite::Remove(email) } else { SuppressionWrite::Add(new) };
                self.write(write).await
            }
            MailStep::Retry(which) => {
                let all = self.storage.deliveries_after(None, 10_000).await.expect("a list");
                let Some(delivery) = pick(&all, which) else { return String::new() };
                self.write(DeliveryWrite::Retry { id: delivery.id, at: self.clock.now() }).await
            }
            MailStep::List(who, how) => {
                let Some(id) = pick(&self.users, who) else { return String::new() };
                let all = self.storage.deliveries_after(None, 10_000).await.expect("a list");
                let address = new_user(&format!("User-{}", who % 6)).email;
                let query = DeliveryQuery {
                    kinds: NoticeKind::ALL.into_iter().skip(usize::from(how % 40)).take(usize::from(how % 3)).collect(),
                    states: DeliveryState::ALL
                        .into_iter()
                        .skip(usize::from(how % 9))
                        .take(usize::from(how % 4))
                        .collect(),
                    recipients: (how < 200).then(|| vec![Recipient::User(id), Recipient::Address(address)]),
                    from: how.is_multiple_of(5).then(|| pick(&all, who)).flatten().map(|delivery| delivery.id),
                };
                let before = how.is_multiple_of(3).then(|| pick(&all, how)).flatten().map(|delivery| delivery.id);
                let counts = self.storage.delivery_counts(&query, 10_000).await.expect("counts");
                let counts = DeliveryState::ALL.map(|state| counts.get(&state).copied().unwrap_or(0));
                format!("{counts:?} {:?}", self.storage.deliveries(&query, before, 3).await.expect("a page"))
            }
        }
    }

    async fn write(&self, write: impl Into<Write>) -> String {
        shown(&self.storage.commit(&Changes::new().write(write)).await)
    }

    /// Records the suppressions, and the mail of each recipient.
    pub(super) async fn tell_mail(&mut self) {
        self.told.push(format!("{:?}", self.storage.suppressions_after(None, 1000).await.expect("a read")));
        for id in self.users.clone() {
            let query = DeliveryQuery { recipients: Some(vec![Recipient::User(id)]), ..DeliveryQuery::default() };
            self.told.push(format!("{:?}", self.storage.deliveries(&query, None, 5).await.expect("a read")));
        }
    }
}

/// Some preferences for each number.
fn preferences(n: u8) -> Preferences {
    let minute = |n: u8| LocalMinute::new(u16::from(n) * 5).expect("within a day");
    let kinds = NoticeKind::ALL.into_iter().filter(|kind| kind.can_be_switched_off());
    Preferences {
        off: kinds.take(usize::from(n % 5)).collect(),
        quiet_hours: n.is_multiple_of(2).then(|| QuietHours::new(minute(n), minute(255 - n)).expect("not all day")),
        summary_at: minute(n),
        summary_days: Weekdays::from_bits(n % 128).expect("seven bits"),
    }
}
