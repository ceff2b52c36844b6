//! What the README and the examples promise.

use std::path::PathBuf;
use std::process::Command;

/// Cargo builds examples beside the tests.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test");
    test.ancestors().nth(2).expect("the target folder").join("examples").join(name)
}

#[test]
fn the_quickstart_prints_the_welcome_and_the_reminder() {
    let output = Command::new(example("quickstart")).output().expect("the example is built");
    assert!(output.status.success());
    let expected = "\
2026-03-27T09:00:00.000000Z  to ada@example.org: Welcome to TaskFlow
Hello ada,

Your account is ready.

2026-03-29T07:45:00.000000Z  to ada@example.org: Due soon: Change the clocks
Hello ada,

\"Change the clocks\" is due on 2026-03-29 at 10:00 CEST.

";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn a_notice_of_a_host_is_sent_in_its_own_words() {
    let output = Command::new(example("custom_notice")).output().expect("the example is built");
    assert!(output.status.success());
    let expected = "\
ada@example.org: Invoice 17 is due
Hello,

Please pay invoice 17 within three days.

";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn a_channel_of_a_host_sends_what_is_planned_on_it() {
    let output = Command::new(example("custom_channel")).output().expect("the example is built");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "chat: The new release is out\ndelivered: 1\n");
}

#[test]
fn the_custom_job_is_run_when_its_time_comes() {
    let output = Command::new(example("custom_job")).output().expect("the example is built");
    assert!(output.status.success());
    let expected = "\
welcome_back for 2026-04-02T00:00:00.000000Z: 3 people
6 mails planned
";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
