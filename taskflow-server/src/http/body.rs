use std::time::Duration;

use futures_util::StreamExt;
use poem::Body;
use poem::http::HeaderMap;
use poem::http::header::CONTENT_LENGTH;

use crate::api::ApiError;

/// Largest body of a request, in bytes: 1 MiB.
pub const MAX_BODY: usize = 1024 * 1024;

/// How long a body may take to arrive: a slow link brings a megabyte in that time.
const DEADLINE: Duration = Duration::from_secs(25);
/// How much of a body that is too large is read and dropped, so that its sender gets to read the answer.
const MAX_DRAIN: usize = 32 * 1024 * 1024;
/// How long that may take.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// The whole body, within its bounds, however it is framed.
///
/// # Errors
///
/// [`ApiError::TooLarge`], [`ApiError::TooSlow`], or [`ApiError::Malformed`] when it broke off.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, ApiError> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let mut chunks = body.into_bytes_stream();
    let mut bytes = Vec::with_capacity(declared.unwrap_or(0).min(64 * 1024));
    let gathered = tokio::time::timeout(DEADLINE, async {
        if declared.is_some_and(|length| length > MAX_BODY) {
            return Err(ApiError::TooLarge);
        }
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| ApiError::Malformed("the body broke off"))?;
            if bytes.len() + chunk.len() > MAX_BODY {
                return Err(ApiError::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(())
    });
    let result = gathered.await.unwrap_or(Err(ApiError::TooSlow));
    if matches!(result, Err(ApiError::TooLarge)) {
        let mut dropped = 0;
        let drain = async {
            while let Some(Ok(chunk)) = chunks.next().await {
                dropped += chunk.len();
                if dropped > MAX_DRAIN {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(DRAIN_DEADLINE, drain).await;
    }
    result.map(|()| bytes)
}
