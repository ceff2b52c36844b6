//! How people show who they are: the port [`Accounts`].

use async_trait::async_trait;
use serde::Serialize;
use sqlx::SqliteConnection;
use taskflow_core::ports::{Account, Accounts};
use taskflow_core::{
    Credential, CredentialWrite, Login, PasswordHash, Session, SessionId, StoreError, Timestamp, Token, TokenId, User,
    UserId,
};

use crate::error::store_error;
use crate::rows::Rows;
use crate::store::SqliteStore;
use crate::users::UserRow;
use crate::{sessions, tokens};

/// A credential as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    user_id: UserId,
    password: &'a str,
    changed_at: i64,
}

impl<'a> Params<'a> {
    fn new(credential: &'a Credential) -> Self {
        Self {
            user_id: credential.user_id,
            password: credential.password.expose(),
            changed_at: credential.changed_at.as_micros(),
        }
    }
}

/// The writes of credentials as the parameters of statements.
#[derive(Default)]
pub(crate) struct CredentialWrites {
    changed: Rows,
}

impl CredentialWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &CredentialWrite) -> Result<(), StoreError> {
        match write {
            CredentialWrite::Set(credential) => self.changed.push(index, credential.user_id, &Params::new(credential)),
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        set(conn, &self.changed).await
    }
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    #[sqlx(flatten)]
    user: UserRow,
    password: Option<String>,
}

#[async_trait]
impl Accounts for SqliteStore {
    async fn account(&self, login: &Login) -> Result<Option<Account>, StoreError> {
        let (statement, key) = match login {
            Login::Username(key) => (BY_USERNAME, key),
            Login::Email(key) => (BY_EMAIL, key),
        };
        let row: Option<AccountRow> =
            sqlx::query_as(statement).bind(key).fetch_optional(&self.reader()?).await.map_err(store_error)?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Account { user: User::try_from(row.user)?, password: row.password.map(PasswordHash::new) }))
    }

    async fn password(&self, user: UserId) -> Result<Option<PasswordHash>, StoreError> {
        let hash: Option<String> = sqlx::query_scalar(PASSWORD)
            .bind(user.to_string())
            .fetch_optional(&self.reader()?)
            .await
            .map_err(store_error)?;
        Ok(hash.map(PasswordHash::new))
    }

    async fn token(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        tokens::token(&self.reader()?, id).await
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        sessions::session(&self.reader()?, id).await
    }

    async fn sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        sessions::sessions(&self.reader()?, user, now).await
    }

    async fn ended_sessions(&self, since: Timestamp) -> Result<Vec<SessionId>, StoreError> {
        sessions::ended(&self.reader()?, since).await
    }
}

const BY_USERNAME: &str = "
    SELECT u.id, u.username, u.email, u.email_verified, u.time_zone, u.locale, u.mail_off, u.quiet_from, u.quiet_until,
        u.summary_minute, u.summary_days, u.is_active, u.is_admin, u.version, u.created_at, u.updated_at, c.password
    FROM taskflow_users AS u
    LEFT JOIN taskflow_credentials AS c ON c.user_id = u.id
    WHERE u.username_key = ?1";

const BY_EMAIL: &str = "
    SELECT u.id, u.username, u.email, u.email_verified, u.time_zone, u.locale, u.mail_off, u.quiet_from, u.quiet_until,
        u.summary_minute, u.summary_days, u.is_active, u.is_admin, u.version, u.created_at, u.updated_at, c.password
    FROM taskflow_users AS u
    LEFT JOIN taskflow_credentials AS c ON c.user_id = u.id
    WHERE u.email_key = ?1";

const PASSWORD: &str = "SELECT password FROM taskflow_credentials WHERE user_id = ?1";

async fn set(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(SET).bind(rows.json()).execute(conn).await.map(drop).map_err(|error| rows.refused(error))
}

const SET: &str = "
    INSERT INTO taskflow_credentials (user_id, password, changed_at)
    SELECT value ->> 'user_id', value ->> 'password', value ->> 'changed_at'
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (user_id) DO UPDATE SET password = excluded.password, changed_at = excluded.changed_at";
