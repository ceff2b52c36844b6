//! `taskflow bench` from outside: its figures, what it refuses to touch, what it leaves behind.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use taskflow_mail::testing::SmtpServer;
use tempfile::TempDir;

use taskflow_testkit::cluster::Database;
use taskflow_testkit::server::taskflow;
use taskflow_testkit::wait::eventually;

/// A fan-out whose temporary files are made in `folder`.
fn fanout(folder: &Path, users: &str, more: &[&str]) -> Command {
    let mut command = taskflow(folder, &[("TMPDIR", &folder.display().to_string())]);
    command.args(["bench", "fanout", "--users", users]).args(more);
    command
}

fn is_empty(folder: &TempDir) -> bool {
    std::fs::read_dir(folder).expect("a folder").next().is_none()
}

/// Its figures, given that it printed one line of JSON and nothing else.
fn figures(output: &Output) -> Value {
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{}: {complaints}", output.status);
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

fn assert_all_delivered(figures: &Value, users: u64) {
    for name in ["users", "planned", "sent"] {
        assert_eq!(figures[name], users, "{name} in {figures}");
    }
    for name in ["planned_per_s", "sent_per_s", "wall_s", "seeded_s"] {
        assert!(figures[name].as_f64().is_some_and(|figure| figure > 0.0), "{name} in {figures}");
    }
    let ledger = serde_json::json!({
        "planned": users, "delivered": users, "cancelled": 0, "expired": 0, "discarded": 0, "due": 0
    });
    assert_eq!(figures["ledger"], ledger);
}

#[test]
fn a_fanout_reaches_everybody_and_leaves_nothing_behind() {
    let folder = TempDir::new().expect("a folder");
    let figures = figures(&fanout(folder.path(), "300", &["--json"]).output().expect("an end"));
    assert_all_delivered(&figures, 300);
    assert_eq!((&figures["database"], &figures["taken"]), (&"sqlite".into(), &300.into()));
    assert_eq!(figures["connections"], 16);
    let octets = figures["mail_octets"].as_u64().expect("a size");
    assert!((5_000..6_500).contains(&octets), "a mail has {octets} octets");
    let history = &figures["history"];
    for (name, mails) in [("planned", 300), ("sent", 300)] {
        let parts = history[name].as_array().expect("parts");
        assert_eq!(parts.iter().filter_map(Value::as_u64).sum::<u64>(), mails, "{name} in {history}");
    }
    let late = |which: &str| figures["lateness_s"][which].as_f64().expect("a lateness");
    assert!(0.0 < late("p50") && late("p50") <= late("p99") && late("p99") <= late("max"));
    assert!(is_empty(&folder));
}

/// A tenth of a morning: what would grow with the number of people would show.
#[test]
fn ten_thousand_people_are_all_accounted_for_in_little_memory() {
    let folder = TempDir::new().expect("a folder");
    let figures = figures(&fanout(folder.path(), "10000", &["--json"]).output().expect("an end"));
    assert_all_delivered(&figures, 10_000);
    #[cfg(target_os = "linux")]
    {
        let most = figures["peak_rss_mb"].as_f64().expect("a size");
        assert!((1.0..100.0).contains(&most), "it held {most} MiB");
    }
}

#[test]
fn several_runs_make_a_page_that_can_be_made_again_of_their_figures() {
    let folder = TempDir::new().expect("a folder");
    let page = folder.path().join("page.html");
    let more =
        ["--json", "--report", page.to_str().expect("a path in UTF-8"), "--yardstick", "1000", "--note", "<two>"];
    let output = fanout(folder.path(), "20,30", &more).output().expect("an end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("text");
    let users: Vec<_> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["users"].clone()).collect();
    assert_eq!(users, [20, 30]);
    let page = std::fs::read_to_string(page).expect("a page");
    for part in ["20 people on SQLite", "30 people on SQLite", "&lt;two&gt;", "of 1,000/s", "</html>"] {
        assert!(page.contains(part), "no {part:?} in the page");
    }
    // Nothing that a browser would fetch.
    assert!(!page.contains("://") && !page.contains("src="), "the page names another place");
    let figures = folder.path().join("figures.json");
    std::fs::write(&figures, lines).expect("written");
    let array = folder.path().join("array.json");
    let text = std::fs::read_to_string(&figures).expect("figures");
    std::fs::write(&array, format!("[{}]", text.trim_end().replace('\n', ","))).expect("written");
    for figures in [&figures, &array] {
        let again = taskflow(folder.path(), &[]).args(["bench", "report"]).arg(figures).output().expect("an end");
        assert_eq!(String::from_utf8_lossy(&again.stdout), page);
    }
    std::fs::write(&figures, "{}").expect("written");
    let wrong = taskflow(folder.path(), &[]).args(["bench", "report"]).arg(&figures).output().expect("an end");
    let complaint = String::from_utf8_lossy(&wrong.stderr);
    assert!(!wrong.status.success() && complaint.contains("line 1 of"), "{complaint}");
}

#[test]
fn each_run_needs_a_database_of_its_own() {
    let folder = TempDir::new().expect("a folder");
    let one = ["--database", "postgres://127.0.0.1/none"];
    let output = fanout(folder.path(), "20,30", &one).output().expect("an end");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && complaint.contains("2 runs and 1 databases"), "{complaint}");
}

#[test]
fn without_json_people_read_the_same_figures() {
    let folder = TempDir::new().expect("a folder");
    let output = fanout(folder.path(), "20", &["--connections", "2"]).output().expect("an end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("20 planned = 20 delivered + 0 cancelled + 0 expired + 0 discarded + 0 due"), "{text}");
}

#[tokio::test]
async fn a_relay_that_is_named_gets_each_mail_once() {
    let folder = TempDir::new().expect("a folder");
    let relay = SmtpServer::start().await.expect("a relay");
    let mut command = fanout(folder.path(), "40", &["--json", "--smtp", &format!("127.0.0.1:{}", relay.port())]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("a thread").expect("an end");
    assert_all_delivered(&figures(&output), 40);
    let mails = relay.await_mails(40).await;
    let readers: std::collections::BTreeSet<_> = mails.iter().map(|mail| mail.to.clone()).collect();
    assert_eq!((mails.len(), readers.len()), (40, 40));
}

#[tokio::test]
async fn only_an_empty_database_is_used() {
    let folder = TempDir::new().expect("a folder");
    let database = Database::empty().await;
    let run = || fanout(folder.path(), "50", &["--json", "--database", &database.url]).output().expect("an end");
    let first = figures(&run());
    assert_all_delivered(&first, 50);
    assert_eq!(first["database"], "postgres");
    let again = run();
    assert!(!again.status.success() && again.stdout.is_empty());
    let complaint = String::from_utf8_lossy(&again.stderr);
    assert!(complaint.contains("is not empty") && complaint.contains("createdb"), "{complaint}");
    let elsewhere = fanout(folder.path(), "5", &["--database", "sqlite://own.db"]).output().expect("an end");
    assert!(String::from_utf8_lossy(&elsewhere.stderr).contains("names no PostgreSQL"));
    assert!(is_empty(&folder));
}

#[tokio::test]
async fn a_run_that_is_stopped_cleans_up() {
    let folder = TempDir::new().expect("a folder");
    let mut command = fanout(folder.path(), "1000000", &[]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a process");
    eventually("it has made its database", || async { (!is_empty(&folder)).then_some(()) }).await;
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    let ended = tokio::task::spawn_blocking(move || child.wait()).await.expect("a thread").expect("an end");
    assert!(!ended.success());
    assert!(is_empty(&folder));
}
