//! `taskflow completions`: what a shell needs to complete the command line.

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
    clap_complete::generate(shell, &mut command_line(), "taskflow", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end())
}
