//! Cases that need several servers on one PostgreSQL database.

mod clocks;
mod costs;
mod due_reminders;
mod live_nodes;
mod mornings;
mod nodes;
