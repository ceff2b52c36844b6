//! Mail over real sockets: what leaves, what the relay's answers mean, and what a failing relay cannot do.

#![expect(clippy::unwrap_used, reason = "an unwrap that fails is a test that fails")]

mod bounces;
mod calendar;
mod content;
mod doubt;
mod headers;
mod kept;
mod meetings;
mod notices;
mod pooled;
mod replies;
mod riding;
mod secured;
mod step;
mod storms;
mod support;
mod trouble;
mod written;
