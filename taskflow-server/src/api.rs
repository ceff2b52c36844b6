//! The HTTP interface: one file per noun, each operation parse → one use case → map → answer.

mod admin;
mod auth;
mod caller;
mod deliveries;
mod email;
mod feed;
mod health;
mod inbound;
mod invitations;
mod jobs;
mod linked;
mod live;
mod mailbox;
mod meetings;
mod nodes;
mod preferences;
mod protocol;
mod statistics;
mod suppressions;
mod tasks;
mod templates;
mod unsubscribe;
mod users;
mod verification;

use poem::endpoint::BoxEndpoint;
use poem::{EndpointExt, IntoEndpoint};
use poem_openapi::{OpenApiService, Tags};
use serde_json::Value;

// So that the files of nouns name them as neighbours.
use self::protocol::{answer, body, document, error, etag, field, html, list, once, refuses, wire};

pub(crate) use body::MAX_BODY;
pub(crate) use caller::bearer;
pub use caller::{Caller, SignedIn};
pub(crate) use document::SLASHED;
pub use error::{ApiError, Problem, ProblemField};
pub(crate) use error::{RATE_LIMIT, RATE_LIMIT_POLICY};
pub use field::{Field, Misfit, Required, ValidationErrors};
pub(crate) use html::{ICON, for_browsers, is_browser, start_page};
pub(crate) use live::{JsonEncoder, Sockets};
pub use wire::{Val, Wire};

/// How operations are grouped in the document.
#[derive(Tags)]
enum Group {
    /// Register and sign in.
    Accounts,
    /// To-dos: make, find, change, complete, trash and back.
    Tasks,
    /// Gatherings of people inside and outside of the service: call, change, cancel, answer, remind.
    Meetings,
    /// Everything that happens, as it happens.
    Live,
    /// Letters by hand, what mail looks like, and whether it gets out.
    Mail,
    /// Every mail that was ever planned, and the addresses that get none.
    Ledger,
    /// The recurring duties, and what they count.
    Jobs,
    /// What mail gateways bring.
    Inbound,
    /// What would have been sent, when no relay is configured.
    Mailbox,
    /// Whether the service works, and which processes make it up.
    Health,
}

type Accounts = (
    auth::AuthApi,
    auth::ConfirmationApi,
    verification::VerificationApi,
    verification::VerificationPages,
    users::UsersApi,
    preferences::PreferencesApi,
    users::AdminUsersApi,
);
type Tasks = (tasks::TasksApi, tasks::TaskSummaryApi, tasks::TaskBulkApi);
type Meetings = (
    meetings::MeetingsApi,
    meetings::ParticipantsApi,
    meetings::RemindersApi,
    meetings::UpcomingApi,
    invitations::InvitationPages,
    linked::LinkedPages,
);
type Mails = (
    email::EmailApi,
    templates::TemplatesApi,
    deliveries::DeliveriesApi,
    suppressions::SuppressionsApi,
    unsubscribe::UnsubscribePages,
    inbound::InboundApi,
    mailbox::MailboxApi,
);

type Jobs = (jobs::JobsApi, statistics::StatisticsApi);

/// In groups, as a tuple of all would be too long.
type Apis = (Accounts, Tasks, Meetings, feed::FeedApi, Mails, Jobs, health::HealthApi, nodes::NodesApi);

fn service() -> OpenApiService<Apis, ()> {
    let apis = (
        (
            auth::AuthApi,
            auth::ConfirmationApi,
            verification::VerificationApi,
            verification::VerificationPages,
            users::UsersApi,
            preferences::PreferencesApi,
            users::AdminUsersApi,
        ),
        (tasks::TasksApi, tasks::TaskSummaryApi, tasks::TaskBulkApi),
        (
            meetings::MeetingsApi,
            meetings::ParticipantsApi,
            meetings::RemindersApi,
            meetings::UpcomingApi,
            invitations::InvitationPages,
            linked::LinkedPages,
        ),
        feed::FeedApi,
        (
            email::EmailApi,
            templates::TemplatesApi,
            deliveries::DeliveriesApi,
            suppressions::SuppressionsApi,
            unsubscribe::UnsubscribePages,
            inbound::InboundApi,
            mailbox::MailboxApi,
        ),
        (jobs::JobsApi, statistics::StatisticsApi),
        health::HealthApi,
        nodes::NodesApi,
    );
    OpenApiService::new(apis, "TaskFlow", env!("CARGO_PKG_VERSION")).description(document::DESCRIPTION)
}

/// The OpenAPI document, as served at `/openapi.json`.
#[must_use]
pub fn openapi() -> Value {
    document::complete(&service().spec())
}

/// Every operation, behind the paths of the document. Expects an `Arc<Service>` in each request's data.
pub(crate) fn endpoint() -> BoxEndpoint<'static> {
    service().into_endpoint().boxed()
}

/// The page of Swagger UI with the document in it; it loads nothing from anywhere.
pub(crate) fn docs_page(document: &str) -> String {
    let service = service();
    let head =
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n    <title>TaskFlow API</title>";
    let page = service.swagger_ui_html().replace(&service.spec(), document);
    let page = page.replacen("<html charset", "<!doctype html>\n<html lang=\"en\" charset", 1);
    page.replacen("<title>Swagger UI</title>", head, 1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_named_and_fits_small_screens() {
        let page = super::docs_page("{}");
        assert!(page.contains("<title>TaskFlow API</title>") && page.contains("width=device-width"));
        assert!(page.trim_start().starts_with("<!doctype html>"));
    }
}
