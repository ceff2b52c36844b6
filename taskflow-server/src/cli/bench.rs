//! `taskflow bench`: the real thing under load, measured.

mod crowd;
mod fanout;
mod place;
mod plan;
mod progress;
mod report;
mod sink;

use super::failure::Failure;
use super::flags::Flags;
use fanout::Fanout;

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum Command {
    /// Makes people with tasks, plans a mail to each and sends all of it, and says how fast that was.
    ///
    /// It works on a temporary SQLite file, or on an empty database of PostgreSQL, and sends to a relay of its own that
    /// throws everything away, or to the one named. The environment and files of settings are not read, so that figures
    /// can be compared; settings that are given as flags hold, as in --batch-size 1000.
    Fanout(Fanout),
}

/// Runs on a runtime of its own: nothing of what a server needs besides is there to be in the way.
pub(super) fn run(command: Command, flags: Flags) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of("cannot start the runtime", &error))?;
    match command {
        Command::Fanout(fanout) => runtime.block_on(fanout::run(&fanout, flags)),
    }
}
