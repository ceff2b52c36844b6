//! How people show who they are: the port [`Accounts`].

use async_trait::async_trait;
use serde::Serialize;
use sqlx::PgConnection;
use taskflow_core::ports::{Account, Accounts};
use taskflow_core::{
    Credential, CredentialWrite, Login, PasswordHash, Session, SessionId, StoreError, Timestamp, Token, TokenId, User,
    UserId,
};

use crate::rows::Rows;
use crate::store::PgStore;
use crate::users::UserRow;
use crate::{sessions, tokens};

/// A credential as the parameters of a statement.
#[derive(Serialize)]
struct Params<'a> {
    user_id: UserId,
    password: &'a str,
    changed_at: Timestamp,
}

impl<'a> Params<'a> {
    fn new(credential: &'a Credential) -> Self {
        Self { user_id: credential.user_id, password: credential.password.expose(), changed_at: credential.changed_at }
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
            CredentialWrite::Set(credential) => {
                self.changed.push(index, credential.user_id.as_uuid(), &Params::new(credential))
            }
        }
    }

    /// Runs the statements.
    pub(crate) async fn apply(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
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
impl Accounts for PgStore {
    async fn account(&self, login: &Login) -> Result<Option<Account>, StoreError> {
        let (statement, key) = match login {
            Login::Username(key) => (BY_USERNAME, key),
            Login::Email(key) => (BY_EMAIL, key),
        };
        // Nobody is called so, and the parameter of a statement cannot be.
        if key.contains('\0') {
            return Ok(None);
        }
        let query = || sqlx::query_as(statement).bind(key.clone());
        let row: Option<AccountRow> = self.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Account { user: User::try_from(row.user)?, password: row.password.map(PasswordHash::new) }))
    }

    async fn password(&self, user: UserId) -> Result<Option<PasswordHash>, StoreError> {
        let query = || sqlx::query_scalar(PASSWORD).bind(user.as_uuid());
        let hash: Option<String> = self.read(|conn| Box::pin(query().fetch_optional(conn))).await?;
        Ok(hash.map(PasswordHash::new))
    }

    async fn token(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        tokens::token(self, id).await
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        sessions::session(self, id).await
    }

    async fn sessions(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        sessions::sessions(self, user, now).await
    }

    async fn ended_sessions(&self, since: Timestamp) -> Result<Vec<SessionId>, StoreError> {
        sessions::ended(self, since).await
    }
}

const BY_USERNAME: &str = "
    SELECT u.id, u.username, u.email, u.email_verified, u.time_zone, u.locale, u.mail_off, u.quiet_from, u.quiet_until,
        u.summary_minute, u.summary_days, u.is_active, u.is_admin, u.version, u.created_at, u.updated_at, c.password
    FROM taskflow.users AS u
    LEFT JOIN taskflow.credentials AS c ON c.user_id = u.id
    WHERE u.username_key = $1";

const BY_EMAIL: &str = "
    SELECT u.id, u.username, u.email, u.email_verified, u.time_zone, u.locale, u.mail_off, u.quiet_from, u.quiet_until,
        u.summary_minute, u.summary_days, u.is_active, u.is_admin, u.version, u.created_at, u.updated_at, c.password
    FROM taskflow.users AS u
    LEFT JOIN taskflow.credentials AS c ON c.user_id = u.id
    WHERE u.email_key = $1";

const PASSWORD: &str = "SELECT password FROM taskflow.credentials WHERE user_id = $1";

async fn set(conn: &mut PgConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(SET).bind(rows.json()).execute(conn).await.map(drop).map_err(|error| rows.refused(error))
}

const SET: &str = "
    INSERT INTO taskflow.credentials (user_id, password, changed_at)
    SELECT user_id, password, changed_at
    FROM json_to_recordset($1::json) AS r (user_id uuid, password text, changed_at timestamptz)
    ORDER BY user_id
    ON CONFLICT (user_id) DO UPDATE SET password = excluded.password, changed_at = excluded.changed_at";
