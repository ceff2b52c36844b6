//! The yardstick: nothing but poem, sqlx and a JWT around the same statements.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use poem::http::StatusCode;
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::{Data, Json};
use poem::{Endpoint, EndpointExt, Request, Route, Server, get, handler};
use serde_json::{Value, json};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Row, types::Uuid};

const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

/// Serves on a free port for as long as the process lives, and tells the port.
pub(crate) async fn start(url: &str) -> u16 {
    let pool = PgPoolOptions::new().max_connections(16).connect(url).await.expect("a pool");
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.expect("a port");
    let port = acceptor.local_addr()[0].as_socket_addr().expect("an address").port();
    let app = Route::new().at("/api/tasks/", get(list).post(create)).data(pool).map_to_response();
    tokio::spawn(serve(acceptor, app));
    port
}

/// A token for the same person as a token of the real server.
pub(crate) fn token_for(token: &str) -> String {
    let subject = jsonwebtoken::dangerous::insecure_decode::<Value>(token).expect("a token").claims["sub"].clone();
    let claims = json!({ "sub": subject, "exp": 4_000_000_000_u64 });
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(KEY)).expect("a token")
}

async fn serve(acceptor: impl Acceptor + 'static, app: impl Endpoint + 'static) {
    Server::new_with_acceptor(acceptor).run(app).await.expect("served");
}

fn caller(request: &Request) -> poem::Result<Uuid> {
    let header = request.header("authorization").and_then(|header| header.strip_prefix("Bearer "));
    let token = header.ok_or(StatusCode::UNAUTHORIZED)?;
    let key = DecodingKey::from_secret(KEY);
    let claims = jsonwebtoken::decode::<Value>(token, &key, &Validation::new(Algorithm::HS256))
        .map_err(|_| StatusCode::UNAUTHORIZED)?
        .claims;
    let subject = claims["sub"].as_str().and_then(|subject| subject.parse().ok());
    subject.ok_or_else(|| StatusCode::UNAUTHORIZED.into())
}

#[handler]
async fn list(request: &Request, Data(pool): Data<&PgPool>) -> poem::Result<Json<Value>> {
    let owner = caller(request)?;
    let rows = sqlx::query(
        "SELECT id, user_id, title, description, status, priority, due_at::text, reminder_minutes, completed_at::text,
            deleted_at::text, version, created_at::text, updated_at::text
        FROM taskflow.tasks
        WHERE user_id = $1 AND deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3",
    )
    .bind(owner)
    .bind(20_i64)
    .bind(0_i64)
    .fetch_all(pool)
    .await
    .map_err(poem::error::InternalServerError)?;
    let total: i64 =
        sqlx::query_scalar("SELECT count(*) FROM taskflow.tasks WHERE user_id = $1 AND deleted_at IS NULL")
            .bind(owner)
            .fetch_one(pool)
            .await
            .map_err(poem::error::InternalServerError)?;
    let items: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "id": row.get::<Uuid, _>("id"), "user_id": row.get::<Uuid, _>("user_id"),
                "title": row.get::<&str, _>("title"), "description": row.get::<Option<&str>, _>("description"),
                "status": row.get::<&str, _>("status"), "priority": row.get::<i16, _>("priority"),
                "due_at": row.get::<Option<&str>, _>("due_at"), "version": row.get::<i64, _>("version"),
                "created_at": row.get::<&str, _>("created_at"), "updated_at": row.get::<&str, _>("updated_at"),
            })
        })
        .collect();
    Ok(Json(json!({ "items": items, "total": total, "page": 1, "size": 20 })))
}

#[handler]
async fn create(request: &Request, body: Json<Value>, Data(pool): Data<&PgPool>) -> poem::Result<Json<Value>> {
    let owner = caller(request)?;
    let title = body["title"].as_str().unwrap_or_default();
    let (task, event) = (Uuid::new_v4(), Uuid::new_v4());
    let made: Result<(), sqlx::Error> = async {
        let mut transaction = pool.begin().await?;
        sqlx::query(
            "INSERT INTO taskflow.tasks (id, user_id, title, title_key, search_text, status, priority, version, created_at,
                updated_at)
            VALUES ($1, $2, $3, lower($3), lower($3), 'pending', 2, 1, now(), now())",
        )
        .bind(task)
        .bind(owner)
        .bind(title)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "INSERT INTO taskflow.events (id, at, actor, entity_kind, entity_id, kind, data)
            VALUES ($1, now(), $2, 'task', $3, 'task_created', '{}')",
        )
        .bind(event)
        .bind(owner)
        .bind(task)
        .execute(&mut *transaction)
        .await?;
        let seq: i64 = sqlx::query_scalar(
            "INSERT INTO taskflow.feed_heads AS h (user_id, seq) VALUES ($1, 1)
            ON CONFLICT (user_id) DO UPDATE SET seq = h.seq + 1 RETURNING seq",
        )
        .bind(owner)
        .fetch_one(&mut *transaction)
        .await?;
        sqlx::query("INSERT INTO taskflow.feed (user_id, seq, event_id) VALUES ($1, $2, $3)")
            .bind(owner)
            .bind(seq)
            .bind(event)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }
    .await;
    made.map_err(poem::error::InternalServerError)?;
    Ok(Json(json!({ "id": task, "title": title })))
}
