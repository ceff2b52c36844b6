//! What every notice looks like, in the words and the design that mail leaves with.

use std::sync::Arc;

use taskflow_core::ports::{Calendar, CalendarEntry, MailError, RenderError, Renderer};
use taskflow_core::{
    CalendarMethod, Content, DeliveryId, Headers, Locale, Mail, Mailbox, NoticeContent, NoticeKind, Timestamp, Zone,
};
use taskflow_mail::{ICalendar, Message, Templates};

use crate::config::Config;

/// Every notice with made-up content.
#[derive(Clone)]
pub struct Samples {
    templates: Arc<Templates>,
    public_url: Option<String>,
}

impl Samples {
    /// The shipped ones, with links below the public address of `config`.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self { templates: Arc::new(Templates::new()), public_url: config.public_url.clone() }
    }

    /// What finds the words of the real mail.
    pub(super) fn renderer(&self) -> Arc<dyn Renderer> {
        Arc::clone(&self.templates) as Arc<dyn Renderer>
    }

    /// The tags of the languages that there are words of, in their order.
    #[must_use]
    pub fn locales(&self) -> Vec<String> {
        self.templates.locales().map(ToOwned::to_owned).collect()
    }

    /// The kinds of which there is something to show.
    #[must_use]
    pub fn kinds(&self, now: Timestamp) -> Vec<NoticeKind> {
        NoticeKind::ALL.into_iter().filter(|kind| NoticeContent::sample(*kind, now).is_some()).collect()
    }

    /// The words of a notice as of `now`; `None` where there is nothing to show.
    ///
    /// # Errors
    ///
    /// The fault of a template.
    pub fn content(
        &self,
        kind: NoticeKind,
        locale: &Locale,
        zone: &Zone,
        now: Timestamp,
    ) -> Result<Option<Content>, RenderError> {
        self.templates.preview(kind, locale, zone, self.public_url.as_deref(), now)
    }

    /// `content` of a notice as a whole mail from `from` (RFC 5322), with its calendar entry if it has one.
    ///
    /// # Errors
    ///
    /// What cannot stand in a mail.
    pub fn source(
        &self,
        kind: NoticeKind,
        content: Content,
        from: &Mailbox,
        now: Timestamp,
    ) -> Result<String, MailError> {
        let unsubscribe_url = self.public_url.as_ref().filter(|_| kind.is_recurring());
        let entry = match NoticeContent::sample(kind, now) {
            Some(NoticeContent::MeetingInvite(entry) | NoticeContent::MeetingChange { invitation: entry, .. }) => {
                Some((CalendarMethod::Request, entry))
            }
            Some(NoticeContent::MeetingCancel(entry)) => Some((CalendarMethod::Cancel, entry)),
            _ => None,
        };
        let mail = Mail {
            id: DeliveryId::from_uuid(uuid::Uuid::nil()),
            date: now,
            to: Mailbox { name: Some("Ada".to_owned()), address: from.address.clone() },
            content,
            calendar: entry.map(|(method, entry)| {
                let attendees = std::slice::from_ref(&entry.participant);
                ICalendar.write(&CalendarEntry { method, meeting: &entry.meeting, attendees })
            }),
            headers: Headers {
                unsubscribe_url: unsubscribe_url.map(|url| format!("{url}/u/sample")),
                ..Headers::default()
            },
        };
        Ok(Message::write(from, &mail)?.source)
    }
}
