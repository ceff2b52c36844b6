//! Databases from an operator's point of view: unwritable, replaced, backed up, restored, of another age.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tempfile::TempDir;

use taskflow_testkit::cluster::{Cluster, Stop};
use taskflow_testkit::failing_disk::{Disk, FailingDisk};
use taskflow_testkit::server::{Person, Server, taskflow};
use taskflow_testkit::wait::eventually;

fn run(folder: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    taskflow(folder, settings).args(arguments).output().expect("an end")
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Creates a task; what answers.
async fn create(person: &Person<'_>) -> (StatusCode, Option<String>) {
    let request = person.request(Method::POST, "/api/tasks/").json(&json!({ "title": "something" }));
    let answer = request.send().await.expect("an answer");
    let retry = answer.headers().get("retry-after").map(|value| value.to_str().expect("ASCII").to_owned());
    (answer.status(), retry)
}

async fn refuses_writes(server: &Server, person: &Person<'_>) {
    let (status, retry) = create(person).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{}", server.log());
    assert!(retry.is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    for path in ["/health/db", "/health/ready"] {
        assert_eq!(server.get(path).await.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
    // No mail is promised that cannot leave, and nobody learns who has an account.
    let (_, me) = person.get("/api/users/me").await;
    for email in [me["email"].as_str().unwrap_or("ada@example.org"), "nobody@example.com"] {
        let answer = server.post("/api/auth/password/forgot", json!({ "email": email })).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{email}");
        assert!(answer.headers().contains_key("retry-after"), "{email}");
    }
    assert_eq!(server.get("/health").await.status(), StatusCode::OK);
}

async fn works_again(server: &Server, person: &Person<'_>) {
    eventually("writes work again", || async { (create(person).await.0 == StatusCode::CREATED).then_some(()) }).await;
    eventually("health is well", || async {
        let (db, ready) = (server.get("/health/db").await, server.get("/health/ready").await);
        (db.status() == StatusCode::OK && ready.status() == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_server_is_ready_when_database_schema_and_scheduler_are() {
    let server = Server::start(&[]).await;
    let ready = eventually("ready", || async {
        let answer = server.get("/health/ready").await;
        if answer.status() == StatusCode::OK { answer.json::<Value>().await.ok() } else { None }
    })
    .await;
    for part in ["status", "database", "migrations", "scheduler", "outbox"] {
        assert_eq!(ready[part], "ok", "{ready}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_takes_no_writes_until_it_is_promoted() {
    let cluster = tokio::task::spawn_blocking(Cluster::start_on_loopback).await.expect("a cluster");
    let url = cluster.url("postgres");
    let server = Server::start(&[("DATABASE_URL", &url)]).await;
    let ada = server.person("ada").await;
    let cluster = tokio::task::spawn_blocking(move || {
        let mut cluster = cluster;
        cluster.stop(Stop::Fast);
        std::fs::write(cluster.data().join("standby.signal"), "").expect("a standby");
        cluster.resume();
        cluster
    })
    .await
    .expect("a standby");
    for _ in 0..3 {
        refuses_writes(&server, &ada).await;
    }
    let mut admin = PgConnection::connect(&cluster.url("postgres")).await.expect("a connection");
    admin.execute("SELECT pg_promote()").await.expect("promoted");
    works_again(&server, &ada).await;
}

#[tokio::test]
async fn a_full_or_failing_disk_below_sqlite_is_503_and_passes() {
    let disk = FailingDisk::below("taskflow.db");
    let environment = disk.environment();
    let settings: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = Server::start(&settings).await;
    let ada = server.person("ada").await;
    for state in [Disk::Full, Disk::Broken] {
        disk.becomes(state);
        refuses_writes(&server, &ada).await;
        disk.recovers();
        works_again(&server, &ada).await;
    }
}

#[tokio::test]
async fn what_is_acknowledged_after_a_backup_was_put_in_place_is_in_the_file() {
    let mut server = Server::start(&[]).await;
    let file = server.folder.join("taskflow.db");
    let copy = server.folder.join("copy.db");
    let acknowledged = {
        let ada = server.person("ada").await;
        let done = run(&server.folder, &[], &["db", "backup", "copy.db"]);
        assert!(done.status.success(), "{}", printed(&done));
        std::fs::rename(&copy, &file).expect("restored");
        eventually("the file is open", || async { (create(&ada).await.0 == StatusCode::CREATED).then_some(()) }).await;
        let mut acknowledged = 1;
        for _ in 0..5 {
            acknowledged += u64::from(create(&ada).await.0 == StatusCode::CREATED);
        }
        std::fs::rename(&file, &copy).expect("moved away");
        refuses_writes(&server, &ada).await;
        assert!(!file.exists());
        std::fs::rename(&copy, &file).expect("moved back");
        works_again(&server, &ada).await;
        acknowledged + 1
    };
    assert!(server.stop().await.success());
    let server = server.restart(&[]).await;
    let ada = server.sign_in("ada", taskflow_testkit::server::PASSWORD).await;
    assert_eq!(ada.get("/api/tasks/").await.1["total"], acknowledged);
}

#[tokio::test]
async fn a_plain_copy_of_an_idle_server_has_everything() {
    let server = Server::start(&[]).await;
    let ada = server.person("ada").await;
    create(&ada).await;
    let mut number = 0;
    eventually("the copy is complete", || {
        number += 1;
        let copy = server.folder.join(format!("copied-{number}.db"));
        complete_copy(server.folder.join("taskflow.db"), copy)
    })
    .await;
}

/// Copies a file as `cp` does; `None` while the copy lacks the task.
async fn complete_copy(from: PathBuf, to: PathBuf) -> Option<()> {
    std::fs::copy(from, &to).expect("a copy");
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", to.display())).await.ok()?;
    let tasks: i64 = sqlx::query_scalar("SELECT count(*) FROM taskflow_tasks").fetch_one(&mut conn).await.ok()?;
    (tasks == 1).then_some(())
}

#[tokio::test]
async fn a_backup_is_made_while_serving_and_restored_when_nobody_serves() {
    let mut server = Server::start(&[]).await;
    let ada = server.person("ada").await;
    create(&ada).await;
    let folder = server.folder.clone();
    let backup = run(&folder, &[], &["db", "backup", "saved.db"]);
    assert!(backup.status.success() && printed(&backup).contains("1 account, "), "{}", printed(&backup));
    let again = run(&folder, &[], &["db", "backup", "saved.db"]);
    assert!(!again.status.success() && printed(&again).contains("exists already"), "{}", printed(&again));
    assert!(run(&folder, &[], &["db", "backup", "saved.db", "--force"]).status.success());
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&folder.join("saved.db").metadata().expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600);
    create(&ada).await;
    let open = run(&folder, &[], &["db", "restore", "saved.db"]);
    assert!(!open.status.success() && printed(&open).contains("open"), "{}", printed(&open));
    drop(ada);
    server.stop().await;
    std::fs::write(folder.join("other"), "not a database").expect("a file");
    let foreign = run(&folder, &[], &["db", "restore", "other"]);
    assert!(!foreign.status.success() && printed(&foreign).contains("is not a SQLite database"));
    let done = run(&folder, &[], &["db", "restore", "saved.db"]);
    assert!(done.status.success(), "{}", printed(&done));
    let kept: Vec<_> = std::fs::read_dir(&folder)
        .expect("a folder")
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .filter(|name| name.starts_with("taskflow.db.replaced-"))
        .collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let server = server.restart(&[]).await;
    let ada = server.sign_in("ada", taskflow_testkit::server::PASSWORD).await;
    assert_eq!(ada.get("/api/tasks/").await.1["total"], 1, "as it was when it was saved");
}

#[tokio::test]
async fn a_backup_never_replaces_a_database_in_use() {
    let mut server = Server::start(&[]).await;
    let other = Server::start(&[]).await;
    let ada = server.person("ada").await;
    create(&ada).await;
    let folder = server.folder.clone();
    let name = folder.file_name().and_then(|name| name.to_str()).expect("a name");
    std::os::unix::fs::symlink("taskflow.db", folder.join("link.db")).expect("a link");
    std::fs::hard_link(folder.join("taskflow.db"), folder.join("hard.db")).expect("a link");
    let in_use = other.folder.join("taskflow.db").display().to_string();
    let itself = [
        "taskflow.db".to_owned(),
        format!("./../{name}/taskflow.db"),
        "link.db".to_owned(),
        "hard.db".to_owned(),
        "taskflow.db-wal".to_owned(),
    ];
    for (target, why) in itself.iter().map(|own| (own, "is the database itself")).chain([(&in_use, "open")]) {
        let refused = run(&folder, &[], &["db", "backup", target, "--force"]);
        let text = printed(&refused);
        assert!(!refused.status.success() && text.contains(why) && text.contains("another file"), "{target}: {text}");
    }
    let (created, _) = create(&ada).await;
    assert_eq!(created, StatusCode::CREATED);
    let mistyped = run(&folder, &[], &["db", "backup", "no/such/copy.db"]);
    let text = printed(&mistyped);
    assert!(!mistyped.status.success() && text.contains("there is no folder") && text.contains("no/such"), "{text}");
    assert!(!folder.join("no").exists());
    drop(ada);
    assert!(server.stop().await.success());
    let server = server.restart(&[]).await;
    let ada = server.sign_in("ada", taskflow_testkit::server::PASSWORD).await;
    assert_eq!(ada.get("/api/tasks/").await.1["total"], 2, "nothing that was acknowledged is lost");
    other.person("bob").await;
}

#[tokio::test]
async fn restoring_names_what_is_wrong_with_the_file_and_takes_its_log_along() {
    let home = TempDir::new().expect("a folder");
    let folder = home.path();
    assert!(run(folder, &[], &["db", "migrate"]).status.success());
    std::fs::create_dir(folder.join("a-folder")).expect("a folder");
    std::fs::write(folder.join("text"), "root:x:0:0:a text that is long enough to be read").expect("a file");
    for (file, why) in [
        ("text", "is not a SQLite database"),
        ("a-folder", "is not a SQLite database"),
        ("absent.db", "there is no file"),
        ("taskflow.db", "is the database itself"),
    ] {
        let refused = run(folder, &[], &["db", "restore", file]);
        let text = printed(&refused);
        let named = folder.join(file).display().to_string();
        assert!(
            !refused.status.success() && text.contains(&format!("{named} {why}"))
                || text.contains(&format!("{why} {named}")),
            "{text}"
        );
        assert!(!text.contains("move this one away") && !text.contains("cannot open the database"), "{text}");
    }
    // A database that somebody has open, so that its last change is in its log alone.
    assert!(run(folder, &[("DATABASE_URL", "sqlite://other.db")], &["db", "migrate"]).status.success());
    let url = format!("sqlite://{}", folder.join("other.db").display());
    let mut conn = SqliteConnection::connect(&url).await.expect("a connection");
    conn.execute("PRAGMA wal_autocheckpoint = 0; CREATE TABLE later (id INTEGER)").await.expect("a change");
    let done = run(folder, &[], &["db", "restore", "other.db"]);
    assert!(done.status.success(), "{}", printed(&done));
    let url = format!("sqlite://{}", folder.join("taskflow.db").display());
    let mut restored = SqliteConnection::connect(&url).await.expect("a connection");
    restored.execute("SELECT * FROM later").await.expect("the change");
}

#[test]
fn only_serving_and_migrating_create_a_database() {
    let folder = TempDir::new().expect("a folder");
    for arguments in [
        &["user", "list"][..],
        &["user", "create", "--username", "a-name", "--email", "a@example.org", "--password", "correct horse battery"],
        &["job", "list"],
        &["db", "backup", "x.db"],
    ] {
        let output = run(folder.path(), &[], arguments);
        let expected = folder.path().canonicalize().expect("a folder").join("taskflow.db");
        let text = printed(&output);
        assert!(!output.status.success() && text.contains(&expected.display().to_string()), "{arguments:?}: {text}");
        assert!(text.contains("db migrate"), "{text}");
    }
    assert!(run(folder.path(), &[], &["db", "status"]).status.success());
    assert!(!folder.path().join("taskflow.db").exists());
    let refused = run(folder.path(), &[("AUTO_MIGRATE", "false"), ("PORT", "0")], &["serve"]);
    assert!(!refused.status.success() && printed(&refused).contains("there is no database"), "{}", printed(&refused));
    assert!(!folder.path().join("taskflow.db").exists());
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_shown_and_refused_when_it_says_so() {
    let folder = TempDir::new().expect("a folder");
    assert!(run(folder.path(), &[], &["db", "migrate"]).status.success());
    let url = format!("sqlite://{}", folder.path().join("taskflow.db").display());
    let mut conn = SqliteConnection::connect(&url).await.expect("a connection");
    conn.execute(
        "INSERT INTO taskflow_migrations (version, description, success, checksum, execution_time)
        VALUES (9998, 'tomorrow', TRUE, x'00', 0)",
    )
    .await
    .expect("a newer migration");
    for arguments in [["db", "status"], ["db", "migrate"]] {
        let output = run(folder.path(), &[], &arguments);
        let text = printed(&output);
        assert!(output.status.success() && text.contains("9998") && text.contains("newer"), "{text}");
    }
    conn.execute("UPDATE taskflow_schema_info SET value = 9998 WHERE name = 'min_version'").await.expect("a bar");
    for arguments in [&["serve"][..], &["db", "migrate"], &["user", "list"]] {
        let output = run(folder.path(), &[("PORT", "0")], arguments);
        let text = printed(&output);
        assert!(!output.status.success() && text.contains("needs a newer release") && text.contains("9998"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_keeps_postgresql_from_being_used_is_named_with_a_way_out() {
    let cluster = tokio::task::spawn_blocking(Cluster::start_on_loopback).await.expect("a cluster");
    let mut admin = PgConnection::connect(&cluster.url("postgres")).await.expect("a connection");
    for statement in [
        "CREATE ROLE app LOGIN PASSWORD 'right-one'",
        "CREATE ROLE careful LOGIN",
        "CREATE DATABASE service",
        "CREATE DATABASE old ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    ] {
        admin.execute(AssertSqlSafe(statement)).await.expect(statement);
    }
    let hba = "local all all trust\nhost all app 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\n\
        hostssl all careful 127.0.0.1/32 trust\n";
    std::fs::write(cluster.data().join("pg_hba.conf"), hba).expect("written");
    admin.execute("SELECT pg_reload_conf()").await.expect("reloaded");
    let home = TempDir::new().expect("a folder");
    let at = |login: &str, database: &str| {
        let url = cluster.url(database);
        url.replacen("postgres@", &format!("{login}@"), 1)
    };
    // It takes connections and says nothing.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mute = listener.local_addr().expect("an address");
    for (url, cause, advice) in [
        (at("app:hunter2", "service"), "password authentication failed", "%40"),
        (at("nobody", "service"), "pg_hba.conf", "LOGIN"),
        (at("app:right-one", "absent"), "\"absent\" does not exist", "createdb"),
        (at("app:right-one", "service"), "permission denied", "db migrate"),
        (at("postgres", "old"), "LATIN1", "UTF8"),
        (at("careful", "service"), "no encryption", "sslmode=require"),
        (at("postgres", "service") + "?sslmode=require", "does not offer TLS", "sslmode=prefer"),
        ("postgres://app:hunter2@127.0.0.1:1/service".to_owned(), "nothing listens at 127.0.0.1:1", "start the"),
        (
            "postgres://app:hunter2@absent.invalid/service".to_owned(),
            "\"absent.invalid\" cannot be resolved",
            "host in",
        ),
        (format!("postgres://app:hunter2@{mute}/service"), "no answer from 127.0.0.1:", "within 1s"),
        (
            "postgres://app:hunter2@localhost/service?host=/absent".to_owned(),
            "no socket /absent/.s.PGSQL.5432",
            "start",
        ),
    ] {
        let output =
            run(home.path(), &[("DATABASE_URL", &url), ("PORT", "0"), ("DB_ACQUIRE_TIMEOUT", "1s")], &["serve"]);
        let text = printed(&output);
        assert!(!output.status.success() && text.contains(cause) && text.contains(advice), "{url}: {text}");
        assert!(!text.contains("hunter2") && !text.contains("right-one") && !text.contains("at line"), "{text}");
    }
    let asked = tokio::time::Instant::now();
    let output = run(home.path(), &[("DATABASE_URL", "postgres://app@127.0.0.1:1/service")], &["db", "status"]);
    assert!(printed(&output).contains("connection refused: nothing listens at 127.0.0.1:1"), "{}", printed(&output));
    assert!(asked.elapsed() < Duration::from_secs(4), "commands do not wait for a server: {:?}", asked.elapsed());
    let output = run(home.path(), &[("DATABASE_URL", "postgres://u:p@ss/w@host/db")], &["serve"]);
    let text = printed(&output);
    assert!(!output.status.success() && text.contains("%40") && text.contains("%2F"), "{text}");
    assert!(!text.contains("ss/w") && !text.contains("@ss") && !text.contains("w@host"), "{text}");

    // Whoever may only read and write rows serves, once somebody else has migrated.
    let owner = at("postgres", "service");
    let migrated = run(home.path(), &[("DATABASE_URL", &owner)], &["db", "migrate"]);
    assert!(migrated.status.success(), "{}", printed(&migrated));
    let mut owner = PgConnection::connect(&owner).await.expect("a connection");
    for statement in [
        "REVOKE CREATE ON SCHEMA public FROM public",
        "GRANT USAGE ON SCHEMA taskflow TO app",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA taskflow TO app",
    ] {
        owner.execute(AssertSqlSafe(statement)).await.expect(statement);
    }
    owner.execute("REVOKE INSERT, UPDATE ON taskflow.tasks FROM app").await.expect("revoked");
    for auto in ["true", "false"] {
        let url = at("app:right-one", "service");
        let settings = [("DATABASE_URL", url.as_str()), ("PORT", "0"), ("AUTO_MIGRATE", auto)];
        let text = printed(&run(home.path(), &settings, &["serve"]));
        assert!(text.contains("INSERT, UPDATE on taskflow.tasks") && text.contains("\"app\""), "{text}");
    }
    owner.execute("GRANT INSERT, UPDATE ON taskflow.tasks TO app").await.expect("granted");
    for auto in ["true", "false"] {
        let url = at("app:right-one", "service");
        let server = Server::start(&[("DATABASE_URL", &url), ("AUTO_MIGRATE", auto)]).await;
        let person = server.person(&format!("ada-{auto}")).await;
        assert_eq!(create(&person).await.0, StatusCode::CREATED);
        // A right that is lost while serving.
        owner.execute("REVOKE INSERT ON taskflow.tasks, taskflow.tokens FROM app").await.expect("revoked");
        refuses_writes(&server, &person).await;
        owner.execute("GRANT INSERT ON taskflow.tasks, taskflow.tokens TO app").await.expect("granted");
        works_again(&server, &person).await;
    }
    let dump = run(home.path(), &[("DATABASE_URL", &at("app:right-one", "service"))], &["db", "backup", "x"]);
    let text = printed(&dump);
    assert!(!dump.status.success() && text.contains("pg_dump") && !text.contains("right-one"), "{text}");
}

#[tokio::test]
async fn sqlite_locked_by_another_program_says_so() {
    let folder = TempDir::new().expect("a folder");
    assert!(run(folder.path(), &[], &["db", "migrate"]).status.success());
    let url = format!("sqlite://{}", folder.path().join("taskflow.db").display());
    let mut conn = SqliteConnection::connect(&url).await.expect("a connection");
    conn.execute("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; PRAGMA user_version = 0").await.expect("locked");
    let output = run(folder.path(), &[("PORT", "0")], &["serve"]);
    let text = printed(&output);
    assert!(!output.status.success() && text.contains("another program has locked it"), "{text}");
}

#[tokio::test]
async fn folders_that_had_to_be_created_are_named_at_start() {
    let server = Server::start(&[("DATABASE_URL", "sqlite://mistyped/data/taskflow.db")]).await;
    let folder = server.folder.canonicalize().expect("a folder").join("mistyped");
    assert!(server.log().contains(&format!("\"{}\"", folder.display())), "{}", server.log());
}

#[tokio::test]
async fn a_closed_terminal_stops_the_server_in_good_order() {
    let server = Server::start(&[]).await;
    server.person("ada").await;
    server.signal("HUP");
    eventually("it has stopped", || async { server.log().contains("stopped").then_some(()) }).await;
    assert!(server.log().contains("SIGHUP"), "{}", server.log());
}

#[tokio::test]
async fn what_administrators_do_is_in_the_log_by_whom_and_to_what() {
    let server = Server::start(&[]).await;
    let bob = server.person("bob").await;
    let (_, profile) = bob.get("/api/users/me").await;
    let id = profile["id"].as_str().expect("an id").to_owned();
    server.person("ada").await;
    assert!(run(&server.folder, &[], &["user", "admin", "ada"]).status.success());
    let ada = server.sign_in("ada", taskflow_testkit::server::PASSWORD).await;
    let me = ada.get("/api/users/me").await.1["id"].as_str().expect("an id").to_owned();
    let lock = json!({ "is_active": false });
    assert_eq!(ada.call(Method::PATCH, &format!("/api/users/{id}"), Some(lock)).await.0, StatusCode::OK);
    assert!(ada.call(Method::POST, "/api/jobs/statistics/pause", None).await.0.is_success());
    assert!(
        ada.call(Method::POST, "/api/suppressions", Some(json!({ "email": "eve@example.org" }))).await.0.is_success()
    );
    let log =
        eventually("it is in the log", || async { Some(server.log()).filter(|log| log.contains("suppress address")) })
            .await;
    let acted = |action: &str, on: &str| {
        log.lines().any(|line| line.contains(action) && line.contains(on) && line.contains(&me))
    };
    assert!(acted("lock", &format!("user {id}")) && acted("pause job", "statistics"), "{log}");
    assert!(acted("suppress address", "an address at example.org") && !log.contains("eve@"), "{log}");
}
