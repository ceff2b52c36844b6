//! The stored form of TaskFlow's entities in SQLite and PostgreSQL.
//!
//! A file for each entity declares once which columns it has and how they become its fields. The lists of columns in
//! statements, the parameters of inserts and updates, and the reading of rows follow from that. Statements belong to the
//! stores.
//!
//! ```
//! use sqlx::Sqlite;
//! use taskflow_core::Task;
//! use taskflow_store_sql::Statement;
//!
//! static TASK: Statement<Sqlite, Task> = Statement::new("SELECT {columns} FROM taskflow_tasks WHERE id = ?1");
//! assert!(TASK.text().starts_with("SELECT id, "));
//! ```

mod access;
mod column;
mod dialect;
mod entity;
mod mail;
mod meeting;
mod participant;
mod postgres;
mod sqlite;
mod statement;
mod statistics;
mod task;
mod unreadable;
mod user;
mod values;

pub use column::{Column, ColumnType, Role, SqlValue};
pub use dialect::{Dialect, Params, Stored, read_all};
pub use entity::{ColumnValue, Entity, ReadError, Row, Table};
pub use statement::{Statement, expand};
pub use unreadable::{or_record, readable, record, unreadable_rows};

use taskflow_core::{
    CapturedMail, Credential, Meeting, Participant, Session, Suppression, Task, TaskStatistics, Token, User,
};

/// The stored form of an entity.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// The name of the entity in core.
    pub entity: &'static str,
    /// Its table.
    pub table: Table,
    /// Its columns, the key first.
    pub columns: &'static [Column],
}

impl Form {
    fn of<T: Entity>() -> Self {
        Self { entity: T::NAME, table: T::TABLE, columns: T::columns() }
    }
}

/// Returns the stored form of every entity. Each store compares them with its schema.
#[must_use]
pub fn forms() -> Vec<Form> {
    vec![
        Form::of::<User>(),
        Form::of::<Credential>(),
        Form::of::<Task>(),
        Form::of::<Meeting>(),
        Form::of::<Participant>(),
        Form::of::<Session>(),
        Form::of::<Token>(),
        Form::of::<Suppression>(),
        Form::of::<CapturedMail>(),
        Form::of::<TaskStatistics>(),
    ]
}
