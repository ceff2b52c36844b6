//! Authentication of accounts: implements the port [`Accounts`].

use async_trait::async_trait;
use sqlx::SqliteConnection;
use taskflow_core::ports::{Account, Accounts};
use taskflow_core::{
    Credential, CredentialWrite, Login, PasswordHash, Session, SessionId, StoreError, Timestamp, Token, TokenId, User,
    UserId,
};
use taskflow_store_sql::Stored;

use crate::error::store_error;
use crate::rows::{Rows, Statement};
use crate::store::SqliteStore;
use crate::{sessions, tokens};

/// The writes of credentials as the parameters of statements.
#[derive(Default)]
pub(crate) struct CredentialWrites {
    changed: Rows,
}

impl CredentialWrites {
    /// Adds a write, the one of this index in its commit.
    pub(crate) fn push(&mut self, index: usize, write: &CredentialWrite) -> Result<(), StoreError> {
        match write {
            CredentialWrite::Set(credential) => self.changed.push_entity(index, credential.user_id, credential),
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
    user: Stored<User>,
    password: Option<String>,
}

#[async_trait]
impl Accounts for SqliteStore {
    async fn account(&self, login: &Login) -> Result<Option<Account>, StoreError> {
        let (statement, key) = match login {
            Login::Username(key) => (&BY_USERNAME, key),
            Login::Email(key) => (&BY_EMAIL, key),
        };
        let row: Option<AccountRow> =
            sqlx::query_as(statement.text()).bind(key).fetch_optional(&self.reader()?).await.map_err(store_error)?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Account { user: row.user.read()?, password: row.password.map(PasswordHash::new) }))
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
        sessions::ended(&self.reserved()?, since).await
    }
}

static BY_USERNAME: Statement<User> = Statement::new(
    "
    SELECT {u.columns}, c.password
    FROM taskflow_users AS u
    LEFT JOIN taskflow_credentials AS c ON c.user_id = u.id
    WHERE u.username_key = ?1 AND u.deleted_at IS NULL",
);

static BY_EMAIL: Statement<User> = Statement::new(
    "
    SELECT {u.columns}, c.password
    FROM taskflow_users AS u
    LEFT JOIN taskflow_credentials AS c ON c.user_id = u.id
    WHERE u.email_key = ?1 AND u.deleted_at IS NULL",
);

const PASSWORD: &str = "SELECT password FROM taskflow_credentials WHERE user_id = ?1";

async fn set(conn: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(SET.text()).bind(rows.json()).execute(conn).await.map(drop).map_err(|error| rows.refused(error))
}

static SET: Statement<Credential> = Statement::new(
    "
    INSERT INTO taskflow_credentials ({all})
    SELECT {values}
    FROM json_each(?1)
    WHERE true
    ON CONFLICT (user_id) DO UPDATE SET {excluded}",
);
