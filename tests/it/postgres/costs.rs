use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use taskflow::ports::{Clock, SystemClock};

use taskflow_testkit::cluster::Cluster;
use taskflow_testkit::server::Server;

/// More statements than that are not "about ten".
const MOST: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meeting_of_hundreds_takes_the_statements_of_one_of_two() {
    let settings = ["log_statement=all", "log_parameter_max_length=0", "log_line_prefix=%p|"];
    let cluster = tokio::task::spawn_blocking(move || Cluster::start_with(&settings, None)).await.expect("a cluster");
    let server = Server::start(&[("DATABASE_URL", &cluster.url("postgres")), ("HOLD_MAIL", "true")]).await;
    let few = calling_a_meeting(&cluster, &server, 2).await;
    let many = calling_a_meeting(&cluster, &server, 500).await;
    println!("{{\"case\": \"statements\", \"people\": 500, \"statements\": {}}}", many.len());
    assert_eq!(few, many);
    assert!(many.len() <= MOST, "{many:#?}");
}

/// The statements of the commit that calls a meeting, `BEGIN` and `COMMIT` among them.
async fn calling_a_meeting(cluster: &Cluster, server: &Server, people: usize) -> Vec<String> {
    let organizer = server.person(&format!("organizer-{people}")).await;
    let guests: Vec<_> = (1..people).map(|guest| format!("guest-{guest}@example.org")).collect();
    let meeting_date = (SystemClock::new().now() + Duration::from_hours(48)).to_string();
    // The first meeting of a day counts what the organizer has already.
    organizer
        .meeting(json!({ "title": "first", "meeting_date": meeting_date, "participant_emails": ["first@example.org"] }))
        .await;
    let meeting = json!({ "title": "a meeting", "meeting_date": meeting_date, "participant_emails": guests });
    let before = cluster.log().len();
    let meeting: Value = organizer.meeting(meeting).await;
    assert_eq!(meeting["participants"].as_array().map(Vec::len), Some(people));
    transaction_with("INSERT INTO taskflow.meetings ", &cluster.log()[before..])
}

/// The first transaction in a log of statements that has one with this text in it.
fn transaction_with(text: &str, log: &str) -> Vec<String> {
    let mut open: HashMap<&str, Vec<String>> = HashMap::new();
    let mut last = "";
    for line in log.lines() {
        // A line that names no connection goes on with the statement of the one before.
        let Some((connection, logged)) = line.split_once("|LOG:  ") else {
            if let Some(statement) = open.get_mut(last).and_then(|statements| statements.last_mut()) {
                statement.push('\n');
                statement.push_str(line);
            }
            continue;
        };
        // Prepared statements have other names on other connections.
        let statement = logged.split_once(": ").map_or(logged, |(_, statement)| statement);
        last = connection;
        let statements = open.entry(connection).or_default();
        if statement.starts_with("BEGIN") {
            statements.clear();
        }
        statements.push(statement.to_owned());
        if statement == "COMMIT" && statements.iter().any(|statement| statement.contains(text)) {
            return std::mem::take(statements);
        }
    }
    panic!("no transaction has {text:?}:\n{log}");
}
