//! The command line from outside: help, completions, JSON and exit codes.

use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use taskflow_testkit::server::taskflow;

fn run(folder: &TempDir, line: &str) -> Output {
    taskflow(folder.path(), &[]).args(line.split(' ')).output().expect("an end")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a command prints with `--json`; it must succeed.
fn json(folder: &TempDir, line: &str) -> Value {
    let output = run(folder, &format!("{line} --json"));
    assert!(output.status.success(), "{line}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{line}: {error}: {}", text(&output.stdout)))
}

/// The exit code and the error of a command that fails with `--json`; it prints nothing else.
fn error(folder: &TempDir, line: &str) -> (Option<i32>, Value) {
    let output = run(folder, &format!("{line} --json"));
    assert!(output.stdout.is_empty(), "{line}: {}", text(&output.stdout));
    let answer: Value = serde_json::from_slice(&output.stderr).unwrap_or_else(|error| {
        panic!("{line}: {error}: {}", text(&output.stderr));
    });
    assert_eq!(answer["error"]["exit_code"].as_i64(), output.status.code().map(i64::from));
    (output.status.code(), answer["error"].clone())
}

fn folder_with(name: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    assert!(run(&folder, "db migrate").status.success());
    let mut create = taskflow(folder.path(), &[]);
    create.args(["user", "create", "--admin", "--username", name, "--password", "correct horse battery staple"]);
    let output = create.args(["--email", &format!("{name}@example.org")]).output().expect("an end");
    assert!(output.status.success(), "{}", text(&output.stderr));
    folder
}

#[test]
fn help_fits_into_a_pipe_and_an_80_column_terminal() {
    let folder = TempDir::new().expect("a folder");
    for (columns, most) in [(None, 100), (Some("80"), 80)] {
        for line in ["--help", "user list --help", "job run --help", "bench fanout --help", "mail preview --help"] {
            let mut command = taskflow(folder.path(), &[]);
            command.args(line.split(' ')).envs(columns.map(|columns| ("COLUMNS", columns)));
            let output = text(&command.output().expect("an end").stdout);
            assert!(output.lines().all(|line| line.chars().count() <= most), "{line}:\n{output}");
            assert!((5..=30).contains(&output.lines().count()), "{line}:\n{output}");
        }
    }
}

#[test]
fn bash_completes_commands_and_their_values() {
    let folder = TempDir::new().expect("a folder");
    let script = folder.path().join("completions.bash");
    std::fs::write(&script, run(&folder, "completions bash").stdout).expect("a file");
    let complete = |words: &[&str]| {
        let program = r#"source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            _taskflow taskflow "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; printf '%s\n' "${COMPREPLY[@]}""#;
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", program, "bash"]).arg(&script).args(words);
        let output = bash.output().expect("bash");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert_eq!(complete(&["taskflow", "us"]).trim(), "user");
    assert!(complete(&["taskflow", "user", ""]).contains("show"));
    assert!(complete(&["taskflow", "serve", "--smtp-ser"]).contains("--smtp-server"));
    let words = |line: &[&str]| complete(line).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&["taskflow", "serve", "--password-policy", ""]), ["basic", "strict"]);
    assert_eq!(words(&["taskflow", "serve", "--registration", "c"]), ["closed"]);
    assert_eq!(words(&["taskflow", "serve", "--smtp-server", ""]), Vec::<String>::new(), "no names of files");
    assert!(complete(&["taskflow", "db", "backup", ""]).contains("--force"));
    let mail = words(&["taskflow", "mail", ""]);
    for command in ["outbox", "why", "retry", "cancel", "unsuppress", "test", "preview"] {
        assert!(mail.iter().any(|word| word == command), "{mail:?}");
    }
    assert!(mail.len() <= 12 && !mail.iter().any(|word| word.contains("smtp")), "{mail:?}");
    for shell in ["zsh", "fish", "powershell", "elvish"] {
        assert!(run(&folder, &format!("completions {shell}")).stdout.len() > 1_000, "{shell}");
    }
}

#[test]
fn every_command_answers_in_json() {
    let folder = folder_with("ada");
    let users = json(&folder, "user list");
    assert_eq!(users["users"][0]["username"], "ada");
    assert_eq!(users["users"][0]["is_admin"], true);
    let ada = json(&folder, "user show ADA@example.org");
    assert_eq!(
        (&ada["user"]["email_verified"], &ada["notifications"]["summary_time"]),
        (&true.into(), &"09:00".into())
    );
    assert_eq!(json(&folder, "user disable ada")["user"]["is_active"], false);
    let jobs = json(&folder, "job list");
    let summaries = jobs["jobs"].as_array().expect("jobs").iter().find(|job| job["name"] == "daily_summaries");
    assert_eq!(summaries.expect("the job")["schedule"], "own");
    assert_eq!(json(&folder, "job run data_cleanup --dry-run")["state"], "finished");
    assert_eq!(json(&folder, "job runs statistics")["runs"], Value::Array(Vec::new()));
    assert_eq!(json(&folder, "db migrate")["created"], false);
    assert_eq!(json(&folder, "db status")["pending"], 0);
    assert_eq!(json(&folder, "db backup saved.db")["users"], 1);
    assert_eq!(json(&folder, "db restore saved.db")["mails_due"], 1);
    assert!(json(&folder, "db schema")["sql"].as_str().is_some_and(|sql| sql.contains("CREATE TABLE")));
    let config = json(&folder, "config --port 9000");
    let port = config["settings"].as_array().expect("settings").iter().find(|setting| setting["name"] == "PORT");
    let port = port.expect("the port");
    assert_eq!((&port["value"], &port["origin"]), (&"9000".into(), &"flag".into()));
    assert_eq!(json(&folder, "config check")["valid"], true);
    let version = json(&folder, "version");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(version["tzdb"].as_str().is_some_and(|tzdb| tzdb.starts_with("20")), "{version}");
    assert!(version["sqlite"].as_str().is_some_and(|sqlite| sqlite.starts_with("3.")), "{version}");
    assert!(text(&run(&folder, "--version").stdout).starts_with(&format!("taskflow {}\n", env!("CARGO_PKG_VERSION"))));
    assert_eq!(json(&folder, "mail preview welcome")["file"], "welcome.en.html");
    assert_eq!(json(&folder, "openapi")["info"]["title"].as_str().map(str::is_empty), Some(false));
}

#[test]
fn mail_is_retried_and_cancelled_by_what_it_has_in_common() {
    let folder = folder_with("ada");
    let counted = json(&folder, "mail cancel --kind welcome --recipient ADA@example.org --due-after 1h --dry-run");
    assert_eq!((&counted["matched"], &counted["changed"]), (&1.into(), &0.into()));
    assert_eq!(json(&folder, "mail cancel --kind welcome --error quota")["matched"], 0);
    assert_eq!(json(&folder, "mail cancel --state scheduled --channel mail")["changed"], 1);
    assert_eq!(json(&folder, "mail outbox")["counts"]["cancelled"], 1);
    assert_eq!(json(&folder, "mail retry --due-before 2099-01-01T00:00:00Z")["matched"], 0, "nothing is discarded");
    assert_eq!(json(&folder, "mail retry --state cancelled")["changed"], 1);
    let outbox = json(&folder, "mail outbox");
    assert_eq!(outbox["counts"]["scheduled"], 1);
    let id = outbox["deliveries"][0]["id"].as_str().expect("an id");
    assert_eq!(json(&folder, &format!("mail cancel {id}"))["state"], "cancelled");
    assert_eq!(json(&folder, &format!("mail retry {id}"))["state"], "scheduled");
    for (line, code) in [
        ("mail retry", 2),
        ("mail cancel", 2),
        (&format!("mail cancel {id} --kind welcome"), 2),
        ("mail retry --code 250", 2),
        ("mail retry --dry-run", 65),
        ("mail retry --state scheduled", 65),
        ("mail cancel --state delivered", 65),
    ] {
        assert_eq!(error(&folder, line).0, Some(code), "{line}");
    }
}

/// What commands print, complain about and end with, for people and with `--json`; the folder is left out.
fn transcript<'a>(folder: &TempDir, lines: impl IntoIterator<Item = &'a str>) -> String {
    let mut transcript = String::new();
    for line in lines {
        let Output { status, stdout, stderr } = run(folder, line);
        let printed = format!("{}{}", text(&stdout), text(&stderr));
        let code = status.code().expect("an exit code");
        transcript.push_str(&format!("$ taskflow {line}\n{}\nexit code {code}\n\n", printed.trim_end()));
    }
    transcript.replace(&folder.path().display().to_string(), "[folder]")
}

#[test]
fn the_short_help_of_every_group_of_commands_reads_as_before() {
    let folder = TempDir::new().expect("a folder");
    let lines = ["-h", "serve -h", "user -h", "db -h", "mail -h", "job -h", "config -h", "bench -h"];
    insta::assert_snapshot!(transcript(&folder, lines));
}

/// Exit codes and the words of `reason` are part of the interface: scripts tell failures apart by them.
#[test]
fn failures_read_as_before_and_have_stable_exit_codes() {
    let empty = TempDir::new().expect("a folder");
    let without_a_database = [
        "fly",
        "serve --prot 9000",
        "mail test ada",
        "mail test ada@example.org",
        "config check --host 0.0.0.0",
        "db restore nothing.db",
        "db status --database-url postgres://nobody@127.0.0.1:1/none",
        "user list",
    ];
    let folder = folder_with("ada");
    let with_a_database = [
        "user lst",
        "user show adda",
        "user create --username ada --email a@example.org --password 12345678abc",
        "user list --port 99999",
        "job run statisticss",
        "job run statistics --at 2999-01-01T00:00:00Z",
        "mail outbox --kind wellcome",
        "mail why adda@example.org",
        "mail unsuppress ada@example.org",
    ];
    let json = |lines: &[&str]| lines.iter().map(|line| format!("{line} --json")).collect::<Vec<_>>();
    let both = |folder: &TempDir, lines: &[&str]| {
        let json = json(lines);
        transcript(folder, lines.iter().copied().chain(json.iter().map(String::as_str)))
    };
    let transcript = both(&empty, &without_a_database) + &both(&folder, &with_a_database);
    insta::assert_snapshot!(transcript);
}

#[test]
fn the_example_file_is_printed_and_can_be_read_back() {
    let folder = TempDir::new().expect("a folder");
    let example = run(&folder, "config example");
    std::fs::write(folder.path().join(".env"), &example.stdout).expect("a file");
    assert!(text(&run(&folder, "config").stdout).contains(".env, line"));
}

#[test]
fn the_outbox_is_listed_with_counts_and_filters() {
    let folder = folder_with("ada");
    let all = json(&folder, "mail outbox");
    assert_eq!(all["counts"]["scheduled"], 1, "{all}");
    let welcome = &all["deliveries"][0];
    assert_eq!((&welcome["kind"], &welcome["email"]), (&"welcome".into(), &"ada@example.org".into()));
    for (line, found) in [
        ("mail outbox ADA@example.org --state scheduled --kind welcome --since 1h", 1),
        ("mail outbox bob@example.org", 0),
        ("mail outbox --state delivered --state discarded", 0),
        ("mail outbox --since 2999-01-01T00:00:00Z", 0),
    ] {
        assert_eq!(json(&folder, line)["deliveries"].as_array().map(Vec::len), Some(found), "{line}");
    }
    let listed = text(&run(&folder, "mail outbox").stdout);
    assert!(listed.contains("welcome") && listed.contains("1 scheduled"), "{listed}");
    let (code, kind) = error(&folder, "mail outbox --kind wellcome");
    assert_eq!(code, Some(2));
    assert!(kind["advice"].as_str().is_some_and(|advice| advice.contains("'welcome'")), "{kind}");
    let id = welcome["id"].as_str().expect("an id");
    let (code, _) = error(&folder, &format!("mail retry {id}"));
    assert_eq!(code, Some(65), "it has not been given up");
}

#[test]
fn why_explains_what_became_of_mail_to_somebody() {
    let folder = folder_with("ada");
    for who in ["ada", "ada@example.org", "ADA@Example.ORG"] {
        let why = json(&folder, &format!("mail why {who}"));
        let codes: Vec<_> =
            why["findings"].as_array().expect("findings").iter().map(|one| one["code"].clone()).collect();
        assert_eq!(codes, ["account", "no_server", "due", "no_relay"], "{why}");
        assert_eq!(why["deliveries"][0]["explanation"], "due, waits for a server to send it");
    }
    let why = text(&run(&folder, "mail why ada").stdout);
    assert!(
        why.contains("→ start one with: taskflow serve") && why.lines().all(|line| line.chars().count() <= 100),
        "{why}"
    );
    run(&folder, "user disable ada");
    assert_eq!(json(&folder, "mail why ada")["findings"][0]["code"], "locked");
    let (code, near) = error(&folder, "mail why adda@example.org");
    assert_eq!((code, &near["advice"]), (Some(67), &"did you mean ada@example.org?".into()));
    assert_eq!(error(&folder, "mail why nobody").0, Some(67));
    assert_eq!(error(&folder, "mail why no@body@example.org").0, Some(2));
    assert_eq!(error(&folder, "mail unsuppress ada@example.org").0, Some(67));
}
