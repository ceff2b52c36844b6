//! Mail over real sockets: what leaves, what the relay's answers mean, and what a failing relay cannot do.

#![expect(clippy::unwrap_used, reason = "an unwrap that fails is a test that fails")]

mod calendar;
mod content;
mod doubt;
mod kept;
mod meetings;
mod pooled;
mod replies;
mod secured;
mod support;
