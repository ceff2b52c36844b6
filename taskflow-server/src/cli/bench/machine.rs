//! The environment of a run, without which figures mean nothing.

use serde::{Deserialize, Serialize};
use taskflow_core::Timestamp;

/// The environment of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Made {
    /// The time at which the run ended.
    pub(super) at: String,
    /// The version of this program, and whether it was built to be fast.
    pub(super) version: String,
    /// Cores, processor, memory and system, as far as the system says.
    pub(super) machine: String,
    /// Mean number of processes that ran or wanted to within the minute before it began, where the system says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) load_before: Option<f64>,
    /// The command line, without parts that may be secret.
    pub(super) command: String,
    /// The text of `--note`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
}

impl Made {
    /// By this program on this machine; to be called before the run, which makes a load of its own.
    pub(super) fn here(command: String, note: Option<String>) -> Self {
        let version = format!("{}{}", env!("CARGO_PKG_VERSION"), if cfg!(debug_assertions) { " (debug)" } else { "" });
        Self { at: String::new(), version, machine: machine(), load_before: load(), command, note }
    }

    /// The same, over at that time.
    pub(super) fn over_at(self, at: Timestamp) -> Self {
        Self { at: at.to_string(), ..self }
    }
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory =
        field("/proc/meminfo", "MemTotal").and_then(|text| text.trim_end_matches("kB").trim().parse::<f64>().ok());
    let memory = memory.map(|kibibytes| format!(", {:.0} GiB", kibibytes / 1024.0 / 1024.0)).unwrap_or_default();
    format!("{cores} × {processor}{memory}, {}", std::env::consts::OS)
}

fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// Returns the text after a name and a colon in a file of the operating system.
fn field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'))?;
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_it_was_made_with() {
        let made = Made::here("taskflow bench fanout".to_owned(), None).over_at(Timestamp::from_micros(0));
        assert!(made.machine.contains(" × ") && made.machine.contains(std::env::consts::OS), "{}", made.machine);
        assert_eq!(made.at, "1970-01-01T00:00:00.000000Z");
    }
}
