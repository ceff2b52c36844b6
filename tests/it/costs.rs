use std::time::Duration;

use serde_json::{Value, json};
use taskflow::ports::{Clock, SystemClock};

use crate::cluster::Cluster;
use crate::server::Server;

/// What the server runs for a meeting of so many, from the first statement of its transaction to the last.
async fn statements(cluster: &Cluster, server: &Server, people: usize) -> Vec<String> {
    let name = format!("organizer-{people}");
    let organizer = server.person(&name).await;
    let guests: Vec<_> = (1..people).map(|guest| format!("guest-{guest}@example.org")).collect();
    let meeting_date = (SystemClock::new().now() + Duration::from_hours(48)).to_string();
    let meeting = json!({ "title": "a meeting", "meeting_date": meeting_date, "participant_emails": guests });
    let before = cluster.log().len();
    let meeting: Value = organizer.meeting(meeting).await;
    assert_eq!(meeting["participants"].as_array().map(Vec::len), Some(people));
    // Each line begins with the number of the connection, and those of a statement after its first begin with a tab.
    let log = cluster.log().split_off(before);
    let logged: Vec<_> = log.lines().filter_map(|line| line.split_once('|')).collect();
    let is_insert = |line: &str| line.contains("INSERT INTO taskflow.meetings ") || line.ends_with("execute");
    let _ = is_insert;
    let (connection, _) = logged[0];
    logged.iter().filter(|(number, _)| *number == connection).map(|(_, line)| line.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meeting_of_hundreds_takes_as_many_statements_as_one_of_two() {
    let settings = ["log_statement=all", "log_line_prefix=%p|"];
    let cluster = tokio::task::spawn_blocking(move || Cluster::start_with(&settings, None)).await.expect("a cluster");
    let server = Server::start(&[("DATABASE_URL", &cluster.url("postgres")), ("HOLD_MAIL", "true")]).await;
    let few = statements(&cluster, &server, 2).await;
    let many = statements(&cluster, &server, 500).await;
    println!("{}", cluster.log());
    assert_eq!(few.len(), many.len());
}
