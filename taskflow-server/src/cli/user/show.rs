//! `taskflow user show`, and accounts as all commands print them.

use serde::Serialize;
use taskflow_core::{Error, Timestamp, User, UserId};

use crate::cli::failure::Failure;
use crate::cli::output::{self, Format, Report};
use crate::wiring::Opened;

/// An account, with the members that it has in the API.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Account {
    id: UserId,
    username: String,
    email: String,
    email_verified: bool,
    is_active: bool,
    is_admin: bool,
    time_zone: String,
    locale: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            username: user.username.to_string(),
            email: user.email.to_string(),
            email_verified: user.email_verified,
            is_active: user.is_active,
            is_admin: user.is_admin,
            time_zone: user.time_zone.to_string(),
            locale: user.locale.to_string(),
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

impl Account {
    /// Its cells in the list of accounts.
    pub(super) fn row(&self) -> [String; 6] {
        let since = self.created_at.to_string().chars().take(10).collect();
        [self.username.clone(), self.email.clone(), self.role().into(), self.state().into(), since, self.id.to_string()]
    }

    fn role(&self) -> &'static str {
        if self.is_admin { "admin" } else { "user" }
    }

    fn state(&self) -> &'static str {
        if self.is_active { "active" } else { "locked" }
    }
}

/// One account in detail.
#[derive(Debug, Serialize)]
struct Shown {
    user: Account,
    notifications: Notifications,
    /// Sessions that are signed in now.
    sessions: usize,
    /// The last time one of them was used.
    last_used_at: Option<Timestamp>,
    #[serde(skip)]
    local_time: String,
}

/// The mail preferences of a user.
#[derive(Debug, Serialize)]
struct Notifications {
    /// Kinds that are switched off.
    off: Vec<&'static str>,
    /// `[from, until]` in the person's time zone.
    quiet_hours: Option<[String; 2]>,
    summary_time: String,
    summary_weekdays: Vec<String>,
}

impl Report for Shown {
    fn text(&self) -> String {
        let Account { email, email_verified, time_zone, locale, created_at, .. } = &self.user;
        let verified = if *email_verified { "verified" } else { "not verified" };
        let notifications = &self.notifications;
        let none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
        let days = match notifications.summary_weekdays.len() {
            7 => "every day".to_owned(),
            _ => none(notifications.summary_weekdays.join(", ")),
        };
        let last_used = self.last_used_at.map(|at| format!(", last used {at}")).unwrap_or_default();
        let quiet = notifications.quiet_hours.as_ref().map(|[from, until]| format!("{from} to {until}"));
        let text = output::fields([
            ("Username", self.user.username.clone()),
            ("E-mail", format!("{email} ({verified})")),
            ("Role", self.user.role().to_owned()),
            ("State", self.user.state().to_owned()),
            ("Time zone", format!("{time_zone} (now {})", self.local_time)),
            ("Language", locale.clone()),
            ("Quiet hours", quiet.unwrap_or_else(|| "none".to_owned())),
            ("Daily summary", format!("{}, {days}", notifications.summary_time)),
            ("Switched off", none(notifications.off.join(", "))),
            ("Sessions", format!("{}{last_used}", self.sessions)),
            ("Created", created_at.to_string()),
            ("ID", self.user.id.to_string()),
        ]);
        format!("{text}\n\nwhat mail they got, and why: taskflow mail why {email}")
    }
}

/// Prints an account in detail.
pub(super) async fn run(user: &User, opened: &Opened, format: Format) -> Result<(), Failure> {
    let now = opened.clock.now();
    let sessions = opened.accounts().sessions(user.id, now).await;
    let sessions = sessions.map_err(|error| Failure::of("cannot read the sessions", &Error::from(error)))?;
    let preferences = &user.preferences;
    let quiet = preferences.quiet_hours.map(|quiet| [quiet.from().to_string(), quiet.until().to_string()]);
    let days = preferences.summary_days.iter().map(|day| day.to_string().to_lowercase());
    format.print(&Shown {
        local_time: user.time_zone.wall_clock(now).at.format("%H:%M").to_string(),
        user: user.clone().into(),
        notifications: Notifications {
            off: preferences.off.iter().map(|kind| kind.as_str()).collect(),
            quiet_hours: quiet,
            summary_time: preferences.summary_at.to_string(),
            summary_weekdays: days.collect(),
        },
        sessions: sessions.len(),
        last_used_at: sessions.iter().map(|session| session.used_at).max(),
    })
}
