use std::time::Duration;

use taskflow_testkit::backend::migrated;
use taskflow_testkit::reminders::{CONNECTIONS, DueReminders};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_while_it_reminds_loses_nobody() {
    let due = DueReminders { nodes: 2, meetings: 2, people: 300, spread: Duration::ZERO, kill_after: 150 };
    let outcome = due.send(&migrated().await).await;
    println!("{{\"case\": \"wave\", \"repeated\": {}}}", outcome.repeated);
    assert_eq!(outcome.states, [("delivered".to_owned(), 600)].into());
    assert_eq!((outcome.lost, outcome.wrong), (0, 0));
    // What the dead node held is out of reach for as long as its lease, and no longer.
    assert!(outcome.lateness.iter().all(|seconds| *seconds < 30.0), "{:?}", outcome.lateness.last());
    assert!(outcome.repeated <= 2 * CONNECTIONS, "{} mails came again", outcome.repeated);
}
