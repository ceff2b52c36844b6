//! The memory of this process: what it holds, what it held at most, and how that went over time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::report::rounded;

/// Initial interval between two samples.
const BEAT: Duration = Duration::from_millis(25);

/// So many looks are kept; when there are more, every two become one and looks become rarer.
const MOST: usize = 512;

/// The most this process has held since the last [`forget_peak`], in MiB; `None` where the system does not say.
pub(super) fn peak_mb() -> Option<f64> {
    status("VmHWM:")
}

/// Makes what is held now the most that was held, where the system can do that.
pub(super) fn forget_peak() {
    // What cannot be forgotten makes a figure larger, never smaller.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Returns the memory that this process uses now, in MiB.
fn held_mb() -> Option<f64> {
    status("VmRSS:")
}

fn status(line: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|found| found.strip_prefix(line))?;
    let kibibytes: f64 = kibibytes.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(rounded(kibibytes / 1024.0, 1))
}

/// Looks at it again and again until it is dropped.
pub(super) struct Watch {
    seen: Arc<Mutex<Seen>>,
    _task: AbortOnDropHandle<()>,
}

impl Watch {
    /// Begins now.
    pub(super) fn start() -> Self {
        let seen = Arc::new(Mutex::new(Seen { every: BEAT, looks: Vec::new() }));
        let looking = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let Some(held) = held_mb() else { return };
                let every = looking.lock().unwrap_or_else(PoisonError::into_inner).add(held);
                sleep(every).await;
            }
        });
        Self { seen, _task: AbortOnDropHandle::new(task) }
    }

    /// Stops and returns the samples taken so far.
    pub(super) fn stop(self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The samples of memory use.
#[derive(Clone)]
pub(super) struct Seen {
    every: Duration,
    looks: Vec<f64>,
}

impl Seen {
    /// Keeps one look, and says when to look again.
    fn add(&mut self, held: f64) -> Duration {
        self.looks.push(held);
        if self.looks.len() >= MOST {
            self.looks = self.looks.chunks(2).map(most).collect();
            self.every *= 2;
        }
        self.every
    }

    /// The most in each of `parts` equal parts of the time, in MiB; empty where the system does not say.
    pub(super) fn by_parts(&self, parts: usize) -> Vec<f64> {
        let looks = self.looks.len();
        if looks == 0 {
            return Vec::new();
        }
        let part = |n: usize| {
            // Less than one look a part has each stand in several.
            let (from, until) = (n * looks / parts, ((n + 1) * looks).div_ceil(parts));
            most(&self.looks[from..until])
        };
        (0..parts).map(part).collect()
    }
}

fn most(looks: &[f64]) -> f64 {
    looks.iter().copied().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_known_on_linux() {
        assert!(held_mb().is_some_and(|mb| mb > 1.0));
        assert!(peak_mb() >= held_mb());
    }

    #[test]
    fn looks_are_bounded_and_keep_what_was_most() {
        let mut seen = Seen { every: BEAT, looks: Vec::new() };
        for n in 0..10_000 {
            seen.add(f64::from(n));
        }
        assert!(seen.looks.len() < MOST);
        let parts = seen.by_parts(60);
        assert!(parts.is_sorted() && parts.len() == 60);
        assert_eq!(parts[59], 9_999.0);
    }

    #[test]
    fn more_parts_than_looks_repeat_them() {
        let seen = Seen { every: BEAT, looks: vec![1.0, 2.0] };
        assert_eq!(seen.by_parts(4), [1.0, 1.0, 2.0, 2.0]);
        assert!(Seen { every: BEAT, looks: Vec::new() }.by_parts(4).is_empty());
    }
}
