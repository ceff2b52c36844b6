//! What only several servers on one database of PostgreSQL can show.

mod costs;
mod due_reminders;
mod live_nodes;
mod mornings;
mod nodes;
