//! `taskflow bench`: the real thing under load, measured.

mod chart;
mod crowd;
mod fanout;
mod history;
mod machine;
mod measure;
mod memory;
mod page;
mod place;
mod plan;
mod progress;
mod report;
mod sink;

use std::path::PathBuf;

use super::failure::Failure;
use super::flags::Flags;
use super::output;
use fanout::Fanout;

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum Command {
    /// Makes people with tasks, plans a mail to each and sends all of it, and says how fast that was.
    ///
    /// What is planned are the daily summaries, by their own job. It works on a temporary SQLite file, or on an empty database of PostgreSQL, and sends to a relay of its own that
    /// throws everything away, or to the one named. The environment and files of settings are not read, so that figures
    /// can be compared; settings that are given as flags hold, as in --batch-size 1000.
    Fanout(Fanout),
    /// Makes one page (HTML, on standard output) of the lines of JSON that runs have printed.
    Report {
        /// Files of such lines, or of an array of them; standard input when there are none.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// Runs on a runtime of its own: nothing of what a server needs besides is there to be in the way.
pub(super) fn run(command: Command, flags: Flags) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of("cannot start the runtime", &error))?;
    match command {
        Command::Fanout(fanout) => runtime.block_on(fanout::run(&fanout, flags)),
        Command::Report { files } => output::line(page::html(&report::read(&files)?).trim_end()),
    }
}
