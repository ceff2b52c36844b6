//! The shipped jobs: a file each, and a line each in [`SHIPPED`].

mod account_deletion;
mod daily_summaries;
mod data_cleanup;
mod meeting_reminders;
mod server_monitoring;
mod statistics;
mod task_reminders;

pub use data_cleanup::RetentionPolicy;
pub use server_monitoring::{Limits, MonitoringReport};

pub(super) use daily_summaries::summary;
pub(super) use task_reminders::reminder;

use super::Job;

/// The jobs of every [`App`](crate::App), in the order in which they are shown.
const SHIPPED: &[&dyn Job] = &[
    &task_reminders::TaskReminders,
    &meeting_reminders::MeetingReminders,
    &daily_summaries::DailySummaries,
    &server_monitoring::ServerMonitoring,
    &data_cleanup::DataCleanup,
    &statistics::Statistics,
    &account_deletion::AccountDeletion,
];

/// Returns the jobs that every [`App`](crate::App) has, in the order in which they are shown.
#[must_use]
pub fn shipped_jobs() -> &'static [&'static dyn Job] {
    SHIPPED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_job_has_a_name_of_its_own_and_follows_its_default_schedule() {
        for (place, job) in SHIPPED.iter().enumerate() {
            assert!(SHIPPED[..place].iter().all(|other| other.name() != job.name()), "{}", job.name());
            let plan = job.default_plan();
            assert_eq!(job.parse_plan(&job.written_plan(&plan)), Ok(Some(plan)), "{}", job.name());
            assert_ne!(job.summary(), "is a job of the host", "{}", job.name());
            assert!(!job.summary().ends_with('.') && job.summary().starts_with(char::is_lowercase), "{}", job.name());
        }
    }
}
