//! Everybody's accounts, for administrators. To anybody else there is nothing here.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use taskflow_core::{AccountStatusChange, TaskQuery, User, UserId, search_key};

use super::{UserBody, answer};
use crate::api::Caller;
use crate::api::admin::Admin;
use crate::api::answer::Found;
use crate::api::body::Patch;
use crate::api::list::{PageSize, SearchText};
use crate::api::{ApiError, Field, Group, Val, ValidationErrors};
use crate::service::Service;

pub(in crate::api) struct AdminUsersApi;

/// Accounts that are looked at for one page; a search that finds less goes on with the next one.
const SEARCHED: usize = 10_000;
/// Accounts that are read at once.
const READ: u32 = 500;

/// A page of accounts, oldest first.
#[derive(Debug, Object)]
#[oai(rename = "UserList", skip_serializing_if_is_none)]
struct UserListBody {
    /// The items on this page.
    items: Vec<UserBody>,
    /// The `cursor` of the next page; absent at the end. A search may find fewer than `size` although more follow.
    next: Option<Val<UserId>>,
}

/// A change of the status of an account.
#[derive(Debug, Object)]
#[oai(rename = "StandingChange")]
struct StandingBody {
    /// `false` locks the account and ends its sessions; `true` unlocks it.
    is_active: Field<bool>,
    /// Whether the account has the rights of an administrator.
    is_admin: Field<bool>,
}

#[OpenApi(prefix_path = "/api/users", tag = "Group::Accounts")]
impl AdminUsersApi {
    /// List accounts
    ///
    /// For administrators, oldest first.
    #[oai(path = "/", method = "get", operation_id = "listUsers")]
    async fn list(
        &self,
        _admin: Admin,
        Data(service): Data<&Arc<Service>>,
        /// Only with all these words in name or address.
        q: Query<Field<SearchText>>,
        /// The page after this account: `next` of the page before.
        cursor: Query<Field<UserId>>,
        /// Accounts on a page; 50 when left out.
        size: Query<Field<PageSize>>,
    ) -> Result<Json<UserListBody>, ApiError> {
        let mut findings = ValidationErrors::default();
        let words = findings.optional("q", q.0).map(|SearchText(q)| TaskQuery::words(&q)).unwrap_or_default();
        let cursor = findings.optional("cursor", cursor.0);
        let size = findings.optional("size", size.0).unwrap_or_default();
        findings.finish(Some(()))?;
        Ok(Json(found(service, &words, cursor, size.count()).await?))
    }

    /// Change the status of an account
    ///
    /// For administrators: locks or unlocks an account, or gives and takes the rights of an administrator. Takes a JSON
    /// Merge Patch (RFC 7396).
    #[oai(path = "/:id", method = "patch", operation_id = "changeStanding")]
    async fn change(
        &self,
        caller: Caller,
        Data(service): Data<&Arc<Service>>,
        id: Path<Val<UserId>>,
        Patch(body): Patch<StandingBody>,
    ) -> Result<Found<UserBody>, ApiError> {
        admit(service, caller).await?;
        let mut findings = ValidationErrors::default();
        let is_active = findings.kept("is_active", body.is_active);
        let is_admin = findings.kept("is_admin", body.is_admin);
        let change = findings.finish(Some(AccountStatusChange { is_active, is_admin }))?;
        Ok(answer(service.app.accounts().set_standing(caller.actor(), id.0.0, change).await?))
    }
}

async fn admit(service: &Service, caller: Caller) -> Result<(), ApiError> {
    let user = service.app.accounts().get(caller.actor(), caller.token.user).await?;
    if user.is_admin && user.is_active { Ok(()) } else { Err(ApiError::NotFound) }
}

/// Looks through the accounts after `cursor` until there are `size` that fit.
async fn found(
    service: &Service,
    words: &[String],
    mut cursor: Option<UserId>,
    size: usize,
) -> Result<UserListBody, ApiError> {
    let (mut items, mut searched) = (Vec::new(), 0);
    loop {
        let page = service.app.accounts().list_after(cursor, READ).await?;
        let last = page.len() < READ as usize;
        let mut page = page.into_iter().peekable();
        while let Some(user) = page.next() {
            (cursor, searched) = (Some(user.id), searched + 1);
            if fits(&user, words) {
                items.push(UserBody::from(user));
            }
            if items.len() == size || searched == SEARCHED {
                let more = page.peek().is_some() || !last;
                return Ok(UserListBody { items, next: cursor.filter(|_| more).map(Val) });
            }
        }
        if last {
            return Ok(UserListBody { items, next: None });
        }
    }
}

fn fits(user: &User, words: &[String]) -> bool {
    let text = search_key(&format!("{}\n{}", user.username, user.email));
    words.iter().all(|word| text.contains(word.as_str()))
}
