//! Repeatable requests: the first response is stored and replayed.

use super::App;
use crate::error::{Error, FieldError, UniqueField};
use crate::{Changes, Idempotency, Idempotent, ResponseWrite, StoredResponse, Timestamp, UserId};

impl Changes {
    /// Adds the response to a request that may be repeated; nothing without a key.
    pub(super) fn respond<T: ?Sized>(
        self,
        owner: UserId,
        idempotency: Option<&Idempotency<'_, T>>,
        response: &T,
        now: Timestamp,
    ) -> Self {
        let Some(idempotency) = idempotency else { return self };
        self.write(ResponseWrite::Store(StoredResponse {
            owner,
            key: idempotency.key.clone(),
            fingerprint: idempotency.fingerprint.clone(),
            body: (idempotency.encode)(response),
            created_at: now,
        }))
    }
}

impl App {
    /// Runs `request`, which commits its own [response](Changes::respond), unless a response is stored for its key.
    /// Then that one is replayed, also if a concurrent request with the same key commits first.
    pub(super) async fn idempotent<T: ?Sized, R>(
        &self,
        owner: UserId,
        idempotency: Option<&Idempotency<'_, T>>,
        request: impl Future<Output = Result<R, Error>>,
    ) -> Result<Idempotent<R>, Error> {
        let Some(idempotency) = idempotency else { return request.await.map(Idempotent::Done) };
        if let Some(body) = self.stored_response(owner, idempotency).await? {
            return Ok(Idempotent::Replayed(body));
        }
        match request.await {
            // Whoever was first may also have used up a quota.
            Err(error @ (Error::Taken(UniqueField::IdempotencyKey) | Error::OverQuota(_))) => {
                let body = self.stored_response(owner, idempotency).await?;
                body.map(Idempotent::Replayed).ok_or(match error {
                    Error::OverQuota(_) => error,
                    _ => Error::Stale,
                })
            }
            result => result.map(Idempotent::Done),
        }
    }

    /// Returns the response that is stored for a key. Fails if it belongs to another request.
    async fn stored_response<T: ?Sized>(
        &self,
        owner: UserId,
        idempotency: &Idempotency<'_, T>,
    ) -> Result<Option<String>, Error> {
        let stored = self.store.response(owner, &idempotency.key).await?;
        match stored.filter(|response| response.is_kept(self.clock.now())) {
            Some(response) if response.fingerprint != idempotency.fingerprint => {
                Err(FieldError::new("Idempotency-Key", "was used for another request; use a new one").into())
            }
            response => Ok(response.map(|response| response.body)),
        }
    }
}
