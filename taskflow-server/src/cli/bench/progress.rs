//! Progress of a run: a line on a terminal, and nothing anywhere else.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Template of the progress bar.
const STYLE: &str = "{msg:8} [{bar:40}] {human_pos}/{human_len}  {per_sec}  {eta} left";

/// The line of one phase; gone when it is dropped.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A phase that is over after `length` things were done.
    pub(super) fn of(phase: &'static str, length: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(STYLE) {
            bar.set_style(style);
        }
        bar.set_message(phase);
        Self(bar)
    }

    /// Returns whether the progress bar is visible.
    pub(super) fn is_seen() -> bool {
        std::io::stderr().is_terminal()
    }

    /// So many were done.
    pub(super) fn at(&self, position: u64) {
        self.0.set_position(position);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
