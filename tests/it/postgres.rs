//! What only several servers on one database of PostgreSQL can show.

mod costs;
mod live_nodes;
mod mornings;
mod nodes;
mod waves;
