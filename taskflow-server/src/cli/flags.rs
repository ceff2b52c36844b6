//! A flag for every setting that is no secret, made from the list of settings.

use std::ffi::OsString;

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::config::{SETTINGS, Setting};

/// Settings given as flags.
#[derive(Debug, Clone, Default)]
pub(super) struct Flags(pub(super) Vec<(&'static Setting, String)>);

/// The ones that `-h` shows; `--help` shows all.
const COMMON: [&str; 6] = ["DATABASE_URL", "HOST", "PORT", "PUBLIC_URL", "HOLD_MAIL", "LOG"];

fn flag(setting: &'static Setting) -> Arg {
    let help = match setting.default {
        Some(default) if !default.is_empty() => format!("{} [default: {default}]", setting.meaning),
        Some(_) | None => setting.meaning.to_owned(),
    };
    let arg = Arg::new(setting.name)
        .long(setting.flag())
        .value_name(if setting.switch { "true|false" } else { "VALUE" })
        .help(help)
        .help_heading("Settings")
        .global(true)
        .hide_short_help(!COMMON.contains(&setting.name));
    if setting.switch { arg.num_args(0..=1).require_equals(true).default_missing_value("true") } else { arg }
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

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        command.args(SETTINGS.iter().filter(|setting| !setting.secret).map(flag))
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
