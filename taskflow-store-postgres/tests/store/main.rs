//! What only this store promises: hosts, races, dropped calls, outages, plans of statements and damaged rows.

mod bystanders;
mod hosts;
mod jobs;
mod mail;
mod meetings;
mod outages;
mod passing;
mod plans;
mod pulses;
mod races;
mod rows;
mod schema;
mod stored;
mod texts;
mod world;
