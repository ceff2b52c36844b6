//! The stored form of what people have done.

use taskflow_core::{TaskCounts, TaskStatistics, UserId};

use crate::column::{Column, Role, SqlValue};
use crate::dialect::Dialect;
use crate::entity::{ColumnValue, Part, ReadError, Row, stored};

stored! {
    TaskStatistics in "user_statistics" {
        key user_id: UserId;
        changing counted_at, streak_days;
        parts counts;
    }
}

impl Part for TaskCounts {
    fn columns() -> Vec<Column> {
        let names = ["total", "pending", "in_progress", "completed", "overdue", "lead_seconds"];
        names.map(|name| Column::of::<u64>(name, Role::Changing)).into()
    }

    fn write<E>(&self, put: &mut impl FnMut(&'static str, SqlValue<'_>) -> Result<(), E>) -> Result<(), E> {
        put("total", self.total.to_sql())?;
        put("pending", self.pending.to_sql())?;
        put("in_progress", self.in_progress.to_sql())?;
        put("completed", self.completed.to_sql())?;
        put("overdue", self.overdue.to_sql())?;
        put("lead_seconds", self.lead_seconds.to_sql())
    }

    fn read<D: Dialect>(row: &Row<'_, D>) -> Result<Self, ReadError> {
        Ok(Self {
            total: row.get("total")?,
            pending: row.get("pending")?,
            in_progress: row.get("in_progress")?,
            completed: row.get("completed")?,
            overdue: row.get("overdue")?,
            lead_seconds: row.get("lead_seconds")?,
        })
    }
}
