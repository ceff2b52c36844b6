//! Addresses that get no mail any more: learned from relays and reports, kept and lifted by who runs the service.

use std::collections::HashSet;

use super::App;
use crate::error::{Error, FieldError};
use crate::ports::UnreadableBounce;
use crate::{Actor, BounceReport, Changes, EmailAddress, Suppression, SuppressionCause, Write};

impl App {
    /// Up to `size` suppressed addresses after `after` by their keys; for who runs the service.
    pub async fn suppressions_after(
        &self,
        actor: Actor,
        after: Option<&str>,
        size: u32,
    ) -> Result<Vec<Suppression>, Error> {
        self.admit_admin(actor).await?;
        Ok(self.store.suppressions_after(after, size).await?)
    }

    /// No more mail to an address; for who runs the service.
    pub async fn suppress(&self, actor: Actor, email: EmailAddress, detail: String) -> Result<(), Error> {
        self.admit_admin(actor).await?;
        let new = Suppression { email, cause: SuppressionCause::Admin, detail, at: self.clock.now() };
        self.commit(&Changes::new().write(Write::Suppress(new))).await
    }

    /// Mail to an address again; for who runs the service. `NotFound` when it gets mail.
    pub async fn unsuppress(&self, actor: Actor, email: &EmailAddress) -> Result<(), Error> {
        self.admit_admin(actor).await?;
        if self.store.suppressed(std::slice::from_ref(email)).await?.is_empty() {
            return Err(Error::NotFound("suppression"));
        }
        self.commit(&Changes::new().write(Write::Unsuppress(email.clone()))).await
    }

    /// Reads a message that came back and takes note of it. Fails with `Invalid` (`message`) when it reports nothing.
    pub async fn take_bounce(&self, message: &[u8]) -> Result<usize, Error> {
        let bounces = self.bounces.as_ref().ok_or(Error::NotFound("bounces"))?;
        let unreadable = |UnreadableBounce(why)| Error::from(FieldError::new("message", why));
        self.take_bounces(bounces.read(message).map_err(unreadable)?).await
    }

    /// Takes note of what came back about mail: an address that takes none for good gets none any more. How many addresses
    /// that were.
    pub async fn take_bounces(&self, reports: Vec<BounceReport>) -> Result<usize, Error> {
        let at = self.clock.now();
        let mut known = HashSet::new();
        let gone = reports.into_iter().filter(|report| report.permanent && known.insert(report.email.key()));
        let new = gone.map(|report| {
            let BounceReport { email, cause, detail, .. } = report;
            Write::Suppress(Suppression { email, cause, detail, at })
        });
        let writes: Vec<_> = new.collect();
        let found = writes.len();
        self.commit(&Changes { writes, ..Changes::new() }).await?;
        Ok(found)
    }
}
