//! The whole product from outside: the real binary as a process, real sockets, a real SMTP dialogue, a real PostgreSQL.

#![expect(clippy::print_stdout, reason = "seeds and figures")]

mod accounts;
mod admins;
mod arrows;
mod bench;
mod bounces;
mod by_hand;
mod command_line;
mod databases;
mod durable;
mod histories;
mod hostile;
mod inbound;
mod interface;
mod invitations;
mod jobs;
mod kills;
mod ledger;
mod letters;
mod limits;
mod live;
mod mail;
mod meetings;
mod operations;
mod pacing;
mod pages;
mod people;
mod postgres;
mod preferences;
mod public;
mod quotas;
mod readme;
mod relay;
mod reminders;
mod sessions;
mod shape;
mod sharing;
mod strangers;
mod tasks;
mod times;
mod unsubscribe;
mod upgrade;
mod verification;
mod year;
