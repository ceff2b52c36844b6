//! Health checks of the service.

use std::sync::Arc;
use std::time::Duration;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use taskflow_core::ClockCheck;

use super::{ApiError, Group};
use crate::service::Service;

/// Maximum time for the store to answer before it counts as unreachable.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) struct HealthApi;

/// The result of a check that passed.
#[derive(Debug, Object)]
#[oai(rename = "Health")]
struct HealthBody {
    /// Always `ok`. Trouble is answered with another status and a problem.
    status: String,
    /// Seconds by which the clock of this node is ahead of the database's, negative: behind; absent while they differ by
    /// less than two seconds.
    #[oai(skip_serializing_if_is_none)]
    clock_ahead_seconds: Option<f64>,
}

impl HealthBody {
    fn ok(service: &Service) -> Json<Self> {
        Json(Self { status: "ok".to_owned(), clock_ahead_seconds: clock_ahead(service) })
    }
}

/// Returns how far the clock of this node is ahead of the database's, in whole seconds, when it is worth a warning.
fn clock_ahead(service: &Service) -> Option<f64> {
    let ahead = service.auth.clock_check.ahead()?;
    let seconds = ahead as f64 / 1e6;
    (seconds.abs() >= ClockCheck::WARN.as_secs_f64()).then(|| seconds.round())
}

/// The parts that requests need, each of which is ready.
#[derive(Debug, Object)]
#[oai(rename = "Readiness", skip_serializing_if_is_none)]
struct ReadinessBody {
    /// `ok`, or `degraded` when mail is late: requests are answered all the same.
    status: String,
    /// `ok`: the database answers and can be written.
    database: String,
    /// `ok`: the database has the schema of this release.
    migrations: String,
    /// `ok`: jobs are looked for.
    scheduler: String,
    /// `ok`, `held` (`HOLD_MAIL`), or `late` when mail has been due for more than five minutes.
    outbox: String,
    /// Age of the oldest mail that is due, in seconds.
    outbox_age_seconds: Option<u64>,
}

/// Mail that is due for longer is late.
const MAIL_AGE: Duration = Duration::from_mins(5);

#[OpenApi(prefix_path = "/health", tag = "Group::Health")]
impl HealthApi {
    /// Check that the process is alive
    ///
    /// Cheap and constant: reads nothing.
    #[oai(path = "/", method = "get", operation_id = "health")]
    async fn health(&self, Data(service): Data<&Arc<Service>>) -> Json<HealthBody> {
        HealthBody::ok(service)
    }

    /// Check that the database answers and can be written
    ///
    /// Writes to the database, at most once a second however often it is asked: a database that only reads or whose disk is
    /// full answers 503.
    #[oai(path = "/db", method = "get", operation_id = "healthDb")]
    async fn database(&self, Data(service): Data<&Arc<Service>>) -> Result<Json<HealthBody>, ApiError> {
        in_time(service.app.ping()).await?;
        Ok(HealthBody::ok(service))
    }

    /// Check that requests can be served
    ///
    /// For load balancers: database, schema and scheduler must be well. Late mail is reported and takes no node out of
    /// service, because it is as late on the others.
    #[oai(path = "/ready", method = "get", operation_id = "healthReady")]
    async fn ready(&self, Data(service): Data<&Arc<Service>>) -> Result<Json<ReadinessBody>, ApiError> {
        in_time(service.app.ping()).await?;
        service.app.ensure_clock()?;
        // Opening refuses any other schema, also when another file takes the place of the one that was open.
        let silence = service.config.job_tick * 10 + PATIENCE * 10;
        if service.scheduler.silent_for().is_none_or(|silent| silent > silence) {
            return Err(ApiError::NotReady("the scheduler has not looked for jobs for a while"));
        }
        let age = in_time(service.app.outbox().age()).await?;
        let is_late = age.is_some_and(|age| age > MAIL_AGE) && !service.config.hold_mail;
        let ok = || "ok".to_owned();
        Ok(Json(ReadinessBody {
            status: if is_late { "degraded".to_owned() } else { ok() },
            database: ok(),
            migrations: ok(),
            scheduler: ok(),
            outbox: match (service.config.hold_mail, is_late) {
                (true, _) => "held".to_owned(),
                (false, true) => "late".to_owned(),
                (false, false) => ok(),
            },
            outbox_age_seconds: age.map(|age| age.as_secs()),
        }))
    }
}

/// Returns the result of `call`, or an error if it takes too long.
async fn in_time<T>(call: impl Future<Output = Result<T, taskflow_core::Error>>) -> Result<T, ApiError> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(result) => Ok(result?),
        Err(elapsed) => Err(ApiError::Unavailable(elapsed.into())),
    }
}
