//! A flag for every setting that is no secret, made from the list of settings.

use std::ffi::{OsStr, OsString};

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches, ValueHint};

use crate::config::{SETTINGS, Setting, wrapped};

/// Settings given as flags. Every command accepts all of them; see [`arranged`] for what its help shows.
#[derive(Debug, Clone, Default)]
pub(super) struct Flags(pub(super) Vec<(&'static Setting, String)>);

/// The setting that the help of every command shows but of [those](WITHOUT_DATABASE) that use no database.
const EVERYWHERE: &str = "DATABASE_URL";
/// Commands that do not use the database of the service.
const WITHOUT_DATABASE: [&str; 4] = ["bench", "openapi", "completions", "version"];
/// Settings that `serve -h` shows; `serve --help` shows all.
const COMMON: [&str; 4] = ["DATABASE_URL", "HOST", "PORT", "PUBLIC_URL"];

/// Columns of text that is wrapped here, so that it fits into a terminal of 80.
const WIDTH: usize = 76;

fn flag(setting: &'static Setting) -> Arg {
    let help = match setting.default {
        Some(default) if !default.is_empty() => format!("{} [default: {default}]", setting.meaning),
        Some(_) | None => setting.meaning.to_owned(),
    };
    let arg = Arg::new(setting.name)
        .long(setting.flag())
        .value_name(if setting.switch { "true|false" } else { value_name(setting.name) })
        .value_parser(Offered(setting.values()))
        .hide_possible_values(true)
        .value_hint(ValueHint::Other)
        .help(help);
    if setting.switch { arg.num_args(0..=1).require_equals(true).default_missing_value("true") } else { arg }
}

/// Reads any text, and has shells offer these values. What is wrong with a setting is told later, with everything else that
/// is wrong.
#[derive(Debug, Clone)]
struct Offered(&'static [&'static str]);

impl TypedValueParser for Offered {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let values = self.0.iter().copied().map(PossibleValue::new);
        (!self.0.is_empty()).then(|| Box::new(values) as _)
    }
}

fn value_name(setting: &str) -> &'static str {
    match setting.rsplit('_').next() {
        Some("URL") => "URL",
        Some("HOST" | "SERVER") => "HOST",
        Some("PORT") => "PORT",
        Some("DAYS" | "MINUTES" | "CONNECTIONS" | "RETRIES" | "SIZE" | "SECOND") => "NUMBER",
        Some("TIMEOUT" | "DELAY" | "SECONDS" | "TICK" | "COOLDOWN") => "DURATION",
        Some("EMAIL") => "ADDRESS",
        Some("USERNAME" | "NAME" | "ID") => "NAME",
        _ if setting.starts_with("QUOTA_") => "NUMBER",
        _ if setting.starts_with("JOB_") => "SCHEDULE",
        _ => "VALUE",
    }
}

/// Joins a switch with the `true` or `false` after it: a switch may stand alone too, so that for clap the word after it
/// is the command.
pub(super) fn joined(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let is_switch = |text: &OsString| {
        let name = text.to_str().and_then(|text| text.strip_prefix("--"));
        SETTINGS.iter().any(|setting| setting.switch && name == Some(setting.flag().as_str()))
    };
    let mut joined: Vec<OsString> = Vec::new();
    for argument in arguments {
        match joined.last_mut().filter(|last| is_switch(last)) {
            Some(switch) if argument == "true" || argument == "false" => {
                switch.push("=");
                switch.push(argument);
            }
            _ => joined.push(argument),
        }
    }
    joined
}

/// Puts each flag into the help of the commands that it concerns: all of them into that of `serve`. The definition of a
/// subcommand replaces the hidden one that it would inherit; the value is the same.
pub(super) fn arranged(command: Command) -> Command {
    let flags = || SETTINGS.iter().filter(|setting| !setting.secret);
    let listed = |setting: &'static Setting| {
        flag(setting).help_heading(setting.section()).hide_short_help(!COMMON.contains(&setting.name))
    };
    let command = command.mut_subcommand("serve", |serve| serve.args(flags().map(listed)));
    WITHOUT_DATABASE.into_iter().fold(command, |command, name| {
        let hidden = flags().filter(|setting| setting.name == EVERYWHERE);
        command.mut_subcommand(name, |own| own.args(hidden.map(|setting| flag(setting).global(true).hide(true))))
    })
}

/// Every setting by its name, with its default and meaning, for the help of `taskflow config`.
pub(super) fn listing() -> String {
    let mut text = "\
Settings, by their names in the environment and in .env. In taskflow.toml\nthey are written in lower case \
(port = 8000), as flags with dashes\n(--smtp-server HOST). Secrets have no flag: other users of a machine can\nread \
command lines.\n"
        .to_owned();
    let mut section = "";
    for setting in SETTINGS.iter() {
        if setting.section() != section {
            section = setting.section();
            text.push_str(&format!("\n{section}:\n"));
        }
        text.push_str(&entry(setting));
    }
    text.trim_end().to_owned()
}

/// The settings that only the environment and files can give, for the help of `taskflow serve`.
pub(super) fn secrets() -> String {
    let mut text = "Secrets have no flag: set them in the environment or in .env.\n".to_owned();
    SETTINGS.iter().filter(|setting| setting.secret).for_each(|setting| text.push_str(&entry(setting)));
    text.push_str("\nEach flag is also a variable: --smtp-server is SMTP_SERVER in the environment and\nin .env, and ");
    text.push_str("smtp_server in taskflow.toml.");
    text
}

fn entry(setting: &Setting) -> String {
    let default = setting.default.filter(|default| !default.is_empty());
    let default = default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    let meaning = wrapped(setting.meaning, WIDTH - 6).join("\n      ");
    format!("  {}{default}\n      {meaning}\n", setting.name)
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let flags = SETTINGS.iter().filter(|setting| !setting.secret);
        command.args(flags.map(|setting| flag(setting).global(true).hide(setting.name != EVERYWHERE)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = |setting: &'static Setting| {
            let value = matches.try_get_one::<String>(setting.name).ok().flatten();
            value.map(|value| (setting, value.clone()))
        };
        Ok(Self(SETTINGS.iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
