//! The mail adapter of TaskFlow: finds the words of a notice, writes them as a mail and hands it to a relay.
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
//!   [`TemplatesBuilder`] puts others in their place.
//! * `render/pages` – [`Pages`]: the pages that links in mail lead to, in the same words and design.
//! * `ical` – [`ICalendar`]: meetings as calendar objects, and the answers that calendars send (RFC 5545, 5546).
//! * `dsn` – [`BounceReports`]: what comes back about mail (RFC 3464, 5965).
//! * `foreign` – mail from elsewhere, taken apart without trusting it.
//! * `message` – [`Message`]: a [`Mail`](taskflow_core::Mail) as it goes over the wire (RFC 5322).
//! * `smtp` – [`SmtpMailer`] and [`SmtpSettings`]: what callers see of SMTP.
//! * `pool` – which connection a mail takes, how many begin per second, and when a relay that fails is asked again.
//! * `dialogue` – one connection: greeting, sign-in, and the only place where an answer becomes a verdict.
//! * `stream` – the bytes below: plain, STARTTLS and implicit TLS.
//! * `turns` – which answers are owed: a relay that says more, or says it too early, is hung up on.
//! * `secrets` – what relays must not be quoted with.
//! * `mailbox` – [`DevMailbox`]: mail that stays in the store, for development.
//! * `testing` (feature `testing`) – an SMTP server that fails on demand.
//!
//! # Invariants
//!
//! * A mail counts as sent only on a 250 that follows its own last dot.
//! * A connection about which there is any doubt is closed, never used again.
//! * An unchanged mail is the same bytes each time, Message-ID, Date and boundary included.
//! * What people type is text in a mail and in a calendar object, and never a header, a parameter or a line of it.
//! * No message that is read, whatever is in it, panics or keeps a processor busy.
//! * Passwords are in no error, no log and no `Debug`.

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
