//! Completion of deletions that were interrupted or take long.

use std::time::Duration;

use async_trait::async_trait;

use super::super::{Job, JobContext, JobPage};
use crate::error::Error;
use crate::{CatchUp, JobName, JobPlan, Schedule, UserId};

/// The count of accounts that a dry run stops at.
const MOST_COUNTED: u32 = 1_000;

impl JobName {
    /// The job that completes deletions of accounts.
    pub const ACCOUNT_DELETION: Self = Self::new("account_deletion");
}

pub(super) struct AccountDeletion;

#[async_trait]
impl Job for AccountDeletion {
    fn name(&self) -> JobName {
        JobName::ACCOUNT_DELETION
    }

    fn summary(&self) -> &'static str {
        "completes deletions of accounts that were interrupted"
    }

    fn default_plan(&self) -> JobPlan {
        JobPlan { schedule: Schedule::Every(Duration::from_mins(1)), catch_up: CatchUp::Latest }
    }

    async fn has_work(&self, context: &JobContext<'_>) -> Result<bool, Error> {
        Ok(!context.app.store.deleted_users(None, 1).await?.is_empty())
    }

    /// Takes a step of one deletion, by commits of its own. The cursor is the account before it, by id. A deletion that
    /// fails is left to the next run, so that it does not keep others from being completed.
    async fn page(&self, context: &JobContext<'_>) -> Result<JobPage, Error> {
        let JobContext { app, run, .. } = *context;
        if run.dry_run {
            let count = app.store.deleted_users(None, MOST_COUNTED).await?.len();
            return Ok(JobPage::new().count("accounts_deleted", count as u64));
        }
        let before = run.cursor.as_deref().and_then(|cursor| cursor.parse::<UserId>().ok());
        let Some(id) = app.store.deleted_users(before, 1).await?.first().copied() else { return Ok(JobPage::new()) };
        let again = Some(before.map(|id| id.to_string()).unwrap_or_default());
        let next = Some(id.to_string());
        match app.deletion_step(id).await {
            Ok(true) => Ok(JobPage::new().next(again)),
            Ok(false) => Ok(JobPage::new().count("accounts_deleted", 1).next(next)),
            Err(Error::Unavailable(cause)) => Err(Error::Unavailable(cause)),
            Err(error) => {
                tracing::warn!(user = %id, %error, "a deletion has failed; the next run tries again");
                Ok(JobPage::new().next(next))
            }
        }
    }
}
