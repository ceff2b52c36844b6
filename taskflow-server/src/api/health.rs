//! Whether the service works.

use std::sync::Arc;
use std::time::Duration;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::{ApiError, Group};
use crate::wiring::Service;

/// How long the store may take to answer before it counts as unreachable.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) struct HealthApi;

/// Everything is well.
#[derive(Debug, Object)]
#[oai(rename = "Health")]
struct HealthBody {
    /// Always `ok`; what is not ok is a problem with another status.
    status: String,
}

impl HealthBody {
    fn ok() -> Json<Self> {
        Json(Self { status: "ok".to_owned() })
    }
}

#[OpenApi(prefix_path = "/health", tag = "Group::Health")]
impl HealthApi {
    /// Is the process alive
    ///
    /// Cheap and constant: looks at nothing.
    #[oai(path = "/", method = "get", operation_id = "health")]
    async fn health(&self) -> Json<HealthBody> {
        HealthBody::ok()
    }

    /// Does the store answer
    #[oai(path = "/db", method = "get", operation_id = "healthDb")]
    async fn database(&self, Data(service): Data<&Arc<Service>>) -> Result<Json<HealthBody>, ApiError> {
        match tokio::time::timeout(PATIENCE, service.app.ping()).await {
            Ok(result) => result?,
            Err(elapsed) => return Err(ApiError::Unavailable(elapsed.into())),
        }
        Ok(HealthBody::ok())
    }
}
