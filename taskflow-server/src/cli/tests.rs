use super::*;
use crate::config::SETTINGS;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    super::parse(flags::joined(std::iter::once("taskflow").chain(line.split_whitespace()).map(Into::into)))
}

fn flags(line: &str) -> Vec<(&'static str, String)> {
    let Flags(flags) = parse(line).expect(line).flags;
    flags.into_iter().map(|(setting, value)| (setting.name, value)).collect()
}

#[test]
fn the_command_line_is_consistent() {
    command_line().debug_assert();
}

#[test]
fn without_a_command_it_serves() {
    assert!(parse("").expect("valid").command.is_none());
    assert!(matches!(parse("serve").expect("valid").command, Some(Command::Serve)));
}

#[test]
fn every_setting_but_secrets_has_a_flag() {
    for setting in SETTINGS.iter() {
        let found = parse(&format!("--{}=1", setting.flag()));
        assert_eq!(found.is_ok(), !setting.secret, "{}", setting.name);
    }
}

#[test]
fn settings_stand_before_or_after_the_command() {
    let expected = vec![("PORT", "9000".to_owned())];
    assert_eq!(flags("--port 9000"), expected);
    assert_eq!(flags("--port 9000 serve"), expected);
    assert_eq!(flags("serve --port 9000"), expected);
    assert_eq!(flags("user list --database-url memory:"), [("DATABASE_URL", "memory:".to_owned())]);
}

#[test]
fn a_switch_may_stand_alone_and_does_not_swallow_the_command() {
    assert_eq!(flags("--hold-mail serve"), [("HOLD_MAIL", "true".to_owned())]);
    assert_eq!(flags("--hold-mail=false"), [("HOLD_MAIL", "false".to_owned())]);
    assert_eq!(flags("--hold-mail false serve"), [("HOLD_MAIL", "false".to_owned())]);
}

/// The help of a command line, wrapped as for a terminal of so many columns.
fn help(arguments: &[&str], columns: usize) -> String {
    let line = std::iter::once("taskflow").chain(arguments.iter().copied());
    command_line().term_width(columns).try_get_matches_from(line).expect_err("help is no match").to_string()
}

/// Every command by its words, the root too.
fn commands() -> Vec<Vec<String>> {
    fn below(command: &clap::Command, path: &[String]) -> Vec<Vec<String>> {
        let subcommands = command.get_subcommands().filter(|sub| sub.get_name() != "help");
        let mut all = vec![path.to_vec()];
        for sub in subcommands {
            let path: Vec<String> = path.iter().cloned().chain([sub.get_name().to_owned()]).collect();
            all.extend(below(sub, &path));
        }
        all
    }
    below(&command_line(), &[])
}

#[test]
fn the_help_of_every_command_fits_on_a_screen() {
    let with_settings = [vec!["serve".to_owned()], vec!["config".to_owned()]];
    let all = commands();
    assert!(all.len() > 25, "{all:?}");
    for path in all {
        for (columns, flag) in [(80, "--help"), (80, "-h"), (100, "--help")] {
            let arguments: Vec<&str> = path.iter().map(String::as_str).chain([flag]).collect();
            let text = help(&arguments, columns);
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(widest <= columns, "{path:?} {flag}: {widest} columns\n{text}");
            let lines = text.trim_end().lines().count();
            let is_listing = flag == "--help" && with_settings.contains(&path);
            assert!(lines <= 30 || is_listing, "{path:?} {flag}: {lines} lines\n{text}");
        }
    }
}

#[test]
fn settings_are_listed_by_serve_and_config_alone() {
    let (serve, config) = (help(&["serve", "--help"], 100), help(&["config", "--help"], 100));
    for setting in SETTINGS.iter() {
        assert_eq!(
            serve.contains(&format!("--{} ", setting.flag())) || serve.contains(&format!("--{}[", setting.flag())),
            !setting.secret,
            "{}",
            setting.name
        );
        assert!(config.contains(&format!("\n  {}", setting.name)), "{}", setting.name);
        assert!(serve.contains(setting.name) || !setting.secret, "{}", setting.name);
    }
    assert!(help(&["serve", "-h"], 80).contains("--port") && !help(&["serve", "-h"], 80).contains("--retry-schedule"));
    for other in
        [&["user", "list", "--help"][..], &["--help"], &["db", "migrate", "--help"], &["config", "check", "--help"]]
    {
        let text = help(other, 100);
        assert!(text.contains("--database-url") && !text.contains("--port"), "{text}");
    }
    assert!(!help(&["openapi", "--help"], 100).contains("--database-url"));
}

#[test]
fn what_could_not_be_understood_is_told_as_json_with_what_was_probably_meant() {
    let failure = misunderstood(&parse("serve --prot 9000 --json").expect_err("no such flag"));
    let text = format!("{failure:?}");
    for part in ["unexpected argument '--prot'", "--port"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("Usage:"), "{text}");
    assert_eq!(failure.exit_code(), 2);
    let job = parse("job run daily_sumaries").expect_err("no such job").to_string();
    assert!(job.contains("daily_summaries"), "{job}");
}

#[test]
fn an_account_is_made_from_flags_with_its_password_from_standard_input() {
    let line = "user create --admin --username ada --email ada@example.org --password-stdin";
    match parse(line).expect("valid").command {
        Some(Command::User(user::Command::Create(create))) => {
            assert!(create.admin && create.password.password_stdin);
            assert_eq!((create.username.as_deref(), create.email.as_deref()), (Some("ada"), Some("ada@example.org")));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_password_is_given_in_one_way_and_never_shown() {
    assert!(parse("user create --password x --password-stdin").is_err());
    let shown = format!("{:?}", parse("user create --password hunter2").expect("valid"));
    assert!(shown.contains("***") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_test_mail_needs_an_address() {
    assert!(parse("mail test ada@example.org").is_ok());
    let error = parse("mail test ada").expect_err("no address").to_string();
    assert!(error.contains("must be an e-mail address"), "{error}");
}

#[test]
fn all_commands_are_there() {
    for line in [
        "user list",
        "user show ada",
        "user list --json",
        "config check",
        "config example",
        "completions bash",
        "version",
        "user disable ada",
        "user enable ada",
        "user admin ada",
        "user admin ada --off",
        "user passwd ada --password-stdin",
        "db migrate",
        "db status",
        "db schema",
        "openapi",
        "config",
    ] {
        assert!(parse(line).expect(line).command.is_some(), "{line}");
    }
    assert!(parse("fly").is_err());
}

/// The line of `docs/cli.md` behind which the help of every command stands.
const MARK: &str = "UPDATE_DOCS=1 makes it write this file anew. -->\n";

#[test]
fn the_reference_of_the_command_line_is_what_help_prints() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md");
    let document = std::fs::read_to_string(file).expect("the document");
    let (before, _) = document.split_once(MARK).expect("the line before the reference");
    let mut expected = format!("{before}{MARK}");
    for path in commands() {
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let text = help(&arguments, 100);
        let text: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
        let heading = std::iter::once("taskflow").chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
        expected.push_str(&format!("\n### {heading}\n\n```text\n{}\n```\n", text.join("\n")));
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(file, &expected).expect("written");
    }
    let now = std::fs::read_to_string(file).expect("the document");
    assert!(now == expected, "write it anew: UPDATE_DOCS=1 cargo test -p taskflow-server --all-features reference");
    // Every setting is listed there too.
    for setting in SETTINGS.iter() {
        assert!(now.contains(&format!("\n  {}", setting.name)), "{}", setting.name);
    }
    // Prose names every command that exists, and no other.
    for path in commands().iter().filter(|path| path.len() == 2 && path[0] != "bench") {
        let prose = path.join(" ");
        assert!(before.contains(&prose) || before.contains(&format!("`{}`", path[1])), "{prose}");
    }
}
