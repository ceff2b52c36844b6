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
use super::output::{self, Format};
use fanout::Fanout;

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum Command {
    /// Create users with tasks, plan a mail to each, send all of it and print how fast that was
    #[command(after_help = "It plans the daily summaries with their own job, on a temporary SQLite file or an empty \
                            PostgreSQL database. Settings are taken from flags only (as in --batch-size 1000), so that \
                            figures can be compared.")]
    Fanout(Fanout),
    /// Write an HTML page with the figures of several runs to standard output
    Report {
        /// Files with the JSON lines of runs, or with arrays of them; standard input when there are none
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// Runs on a runtime of its own: nothing of what a server needs besides is there to be in the way.
pub(super) fn run(command: Command, flags: Flags, format: Format) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of("cannot start the runtime", &error))?;
    match command {
        Command::Fanout(fanout) => runtime.block_on(fanout::run(&fanout, flags, format)),
        Command::Report { files } => output::line(page::html(&report::read(&files)?).trim_end()),
    }
}
