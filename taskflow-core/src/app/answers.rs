//! Requests that may be repeated: the first answer stands.

use super::App;
use crate::error::{Error, FieldError};
use crate::{Answer, Answered, Idempotency, Timestamp, UserId};

impl<T: ?Sized> Idempotency<'_, T> {
    /// What to remember for this key.
    pub(crate) fn answer(&self, owner: UserId, given: &T, now: Timestamp) -> Answer {
        Answer {
            owner,
            key: self.key.clone(),
            fingerprint: self.fingerprint.clone(),
            body: (self.encode)(given),
            created_at: now,
        }
    }
}

impl App {
    /// The answer that was given for this key already. Fails when it was for another request.
    pub(super) async fn answered<T: ?Sized>(
        &self,
        owner: UserId,
        idempotency: Option<&Idempotency<'_, T>>,
    ) -> Result<Option<String>, Error> {
        let Some(idempotency) = idempotency else { return Ok(None) };
        let stored = self.store.answer(owner, &idempotency.key).await?;
        match stored.filter(|answer| answer.is_kept(self.clock.now())) {
            Some(answer) if answer.fingerprint != idempotency.fingerprint => {
                Err(FieldError::new("Idempotency-Key", "was used for another request; use a new one").into())
            }
            answer => Ok(answer.map(|answer| answer.body)),
        }
    }

    /// The answer of whoever was faster with the same key.
    pub(super) async fn answered_by_another<T: ?Sized, R>(
        &self,
        owner: UserId,
        idempotency: Option<&Idempotency<'_, T>>,
    ) -> Result<Answered<R>, Error> {
        Ok(Answered::Before(self.answered(owner, idempotency).await?.ok_or(Error::Stale)?))
    }
}
