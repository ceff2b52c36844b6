//! `taskflow completions`: what a shell needs to complete the command line.

use clap::{Command, ValueHint};
use clap_complete::Shell;

use super::failure::Failure;
use super::{command_line, output};

/// Shown below the help of the command.
pub(super) const HELP: &str = "\
To load it:
  bash        source <(taskflow completions bash)
  zsh         source <(taskflow completions zsh)
  fish        taskflow completions fish | source
  powershell  taskflow completions powershell | Out-String | Invoke-Expression
  elvish      eval (taskflow completions elvish | slurp)";

/// Prints the script.
pub(super) fn run(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut offered(), "taskflow", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end())
}

/// The commands with what their help shows. Shells would offer the flags that are hidden there as well.
pub(super) fn offered() -> Command {
    let mut all = command_line();
    // Puts the flags that hold for every command into each.
    all.build();
    visible(&all)
}

fn visible(command: &Command) -> Command {
    let mut copy = Command::new(command.get_name().to_owned());
    if let Some(about) = command.get_about() {
        copy = copy.about(about.clone());
    }
    if let Some(version) = command.get_version() {
        copy = copy.version(version.to_owned());
    }
    // clap adds its own again.
    let is_own = |name: &str| matches!(name, "help" | "version");
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set() && !is_own(arg.get_id().as_str())) {
        // Only what is read as a path is one.
        let takes_text = arg.get_action().takes_values() && arg.get_value_hint() == ValueHint::Unknown;
        let arg = if takes_text { arg.clone().value_hint(ValueHint::Other) } else { arg.clone() };
        copy = copy.arg(arg.global(false));
    }
    command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
        .fold(copy, |copy, sub| copy.subcommand(visible(sub)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each command and all below it.
    fn each(command: &Command, check: &mut impl FnMut(&Command)) {
        check(command);
        command.get_subcommands().for_each(|sub| each(sub, check));
    }

    #[test]
    fn shells_offer_what_the_help_shows_and_paths_only_for_paths() {
        let offered = offered();
        offered.clone().debug_assert();
        let mut commands = 0;
        each(&offered, &mut |command| {
            commands += 1;
            let flags = command.get_arguments().count();
            let has_many = matches!(command.get_name(), "serve" | "retry" | "cancel");
            assert!(has_many || flags < 12, "{}: {flags}", command.get_name());
            for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
                let is_path =
                    matches!(arg.get_value_hint(), ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath);
                let asks_for_one = arg.get_value_names().is_some_and(|names| names.iter().any(|name| is_file(name)));
                assert!(
                    is_path == asks_for_one || !arg.get_possible_values().is_empty(),
                    "{}: {}",
                    command.get_name(),
                    arg.get_id()
                );
            }
        });
        assert!(commands > 25, "{commands}");
    }

    fn is_file(name: &str) -> bool {
        ["FILE", "FOLDER", "DIR", "PATH"].contains(&name)
    }
}
