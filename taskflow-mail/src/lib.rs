//! The mail adapter of TaskFlow: renders a notice, writes it as a mail and hands it to a relay.
//!
//! ```
//! use taskflow_core::ports::Renderer;
//! use taskflow_core::notice::WelcomeContent;
//! use taskflow_core::{Locale, MailLinks, RenderInput, Timestamp, Zone};
//! use taskflow_mail::Templates;
//!
//! let templates = Templates::builder().template("welcome/subject.txt", "Hi {{ name }}!").build()?;
//! let content = templates.render(&RenderInput {
//!     name: "Ada".to_owned(),
//!     locale: Locale::en(),
//!     zone: "Europe/Berlin".parse()?,
//!     date: Timestamp::from_micros(0),
//!     public_url: Some("https://tasks.example.org".to_owned()),
//!     unsubscribe_url: None,
//!     links: MailLinks::default(),
//!     content: Box::new(WelcomeContent { verify_url: None }),
//! })?;
//! assert_eq!(content.subject, "Hi Ada!");
//! assert!(content.text.contains("https://tasks.example.org"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Code map
//!
//! * `render` – [`Templates`]: notice → subject, text and HTML, from `templates/` and the words in `templates/locales/`;
//!   [`TemplatesBuilder`] replaces them.
//! * `render/pages` – [`Pages`]: the pages that links in mail lead to, in the same words and design.
//! * `ical` – [`ICalendar`]: meetings as calendar objects, and the replies of calendars (RFC 5545, 5546).
//! * `dsn` – [`BounceReports`]: reports that come back about mail (RFC 3464, 5965).
//! * `foreign` – parsing of inbound mail, which is not trusted.
//! * `message` – [`Message`]: a [`Mail`](taskflow_core::Mail) as it goes over the wire (RFC 5322).
//! * `smtp` – [`SmtpMailer`] and [`SmtpSettings`]: the public interface of SMTP.
//! * `pool` – the connection of each mail, the rate of mails, and the retries of a relay that fails.
//! * `dialogue` – one connection: greeting, sign-in, and the only place where a reply is classified.
//! * `stream` – the bytes below: plain, STARTTLS and implicit TLS.
//! * `turns` – the replies that are owed: a connection is closed if the relay says more, or says it too early.
//! * `secrets` – secrets that are removed when a relay is quoted.
//! * `mailbox` – [`DevMailbox`]: mail that is captured in the store, for development.
//! * `testing` (feature `testing`) – an SMTP server that fails on demand.
//!
//! # Invariants
//!
//! * A mail counts as sent only on a 250 that follows its own last dot.
//! * A connection in a doubtful state is closed, never used again.
//! * An unchanged mail has the same bytes each time, including Message-ID, Date and boundary.
//! * User input is text in a mail and in a calendar object, and never a header, a parameter or a line of it.
//! * Reading a message never panics or keeps a processor busy, whatever it contains.
//! * No error, log or `Debug` output contains a password.

mod dialogue;
mod dsn;
mod foreign;
mod ical;
mod mailbox;
mod message;
mod pool;
mod render;
mod secrets;
mod smtp;
mod stream;
#[cfg(feature = "testing")]
pub mod testing;
mod turns;

pub use dsn::BounceReports;
pub use ical::ICalendar;
pub use mailbox::DevMailbox;
pub use message::Message;
pub use render::{PageWords, Pages, TemplateError, Templates, TemplatesBuilder};
pub use smtp::{InvalidSettings, Security, SmtpMailer, SmtpSettings};
