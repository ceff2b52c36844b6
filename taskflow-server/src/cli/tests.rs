use clap::CommandFactory;

use super::*;
use crate::config::SETTINGS;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(flags::joined(std::iter::once("taskflow").chain(line.split_whitespace()).map(Into::into)))
}

fn flags(line: &str) -> Vec<(&'static str, String)> {
    let Flags(flags) = parse(line).expect(line).flags;
    flags.into_iter().map(|(setting, value)| (setting.name, value)).collect()
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn without_a_command_it_serves() {
    assert!(parse("").expect("valid").command.is_none());
    assert!(matches!(parse("serve").expect("valid").command, Some(Command::Serve)));
}

#[test]
fn every_setting_but_secrets_has_a_flag() {
    for setting in SETTINGS {
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

#[test]
fn short_help_is_short_and_long_help_names_every_setting() {
    let short = Cli::command().render_help().to_string();
    let long = Cli::command().render_long_help().to_string();
    assert!(short.contains("--port") && !short.contains("--retry-schedule"), "{short}");
    for setting in SETTINGS.iter().filter(|setting| !setting.secret) {
        assert!(long.contains(&format!("--{}", setting.flag())), "{}", setting.name);
    }
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
