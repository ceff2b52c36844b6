//! A sample of every notice, with the words and the design of real mail.

use std::sync::Arc;

use taskflow_core::ports::{Calendar, CalendarEntry, MailError, RenderError, Renderer};
use taskflow_core::{Content, DeliveryId, Headers, Locale, Mail, Mailbox, NoticeKind, Timestamp, Zone};
use taskflow_mail::{ICalendar, Message, Templates};

use crate::config::Config;

/// Renders notices with made-up content.
#[derive(Clone)]
pub struct Samples {
    templates: Arc<Templates>,
    public_url: Option<String>,
}

impl Samples {
    /// Uses the shipped templates, with links below the public address of `config`.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self { templates: Arc::new(Templates::new()), public_url: config.public_url.clone() }
    }

    /// Returns the renderer of real mail.
    pub(crate) fn renderer(&self) -> Arc<dyn Renderer> {
        Arc::clone(&self.templates) as Arc<dyn Renderer>
    }

    /// Returns the language tags that there are texts for, in their order.
    #[must_use]
    pub fn locales(&self) -> Vec<String> {
        self.templates.locales().map(ToOwned::to_owned).collect()
    }

    /// Returns the kinds that have a sample.
    #[must_use]
    pub fn kinds(&self, now: Timestamp) -> Vec<NoticeKind> {
        NoticeKind::ALL.into_iter().filter(|kind| kind.sample(now).is_some()).collect()
    }

    /// Renders the sample of a notice as of `now`; `None` for a kind without one.
    ///
    /// # Errors
    ///
    /// A template is faulty.
    pub fn content(
        &self,
        kind: NoticeKind,
        locale: &Locale,
        zone: &Zone,
        now: Timestamp,
    ) -> Result<Option<Content>, RenderError> {
        self.templates.preview(kind, locale, zone, self.public_url.as_deref(), now)
    }

    /// Writes `content` of a notice as a whole mail from `from` (RFC 5322), with its calendar entry if it has one.
    ///
    /// # Errors
    ///
    /// The content cannot be written as a mail.
    pub fn source(
        &self,
        kind: NoticeKind,
        content: Content,
        from: &Mailbox,
        now: Timestamp,
    ) -> Result<String, MailError> {
        let unsubscribe_url = self.public_url.as_ref().filter(|_| kind.is_recurring());
        let sample = kind.sample(now);
        let entry = sample.as_ref().and_then(|sample| sample.calendar());
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
