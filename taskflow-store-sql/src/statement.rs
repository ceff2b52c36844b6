//! Statements that contain lists of columns.

use std::marker::PhantomData;
use std::sync::OnceLock;

use crate::column::Column;
use crate::dialect::Dialect;
use crate::entity::Entity;
use crate::forms;

/// A statement about an entity, in which placeholders stand for lists of its columns:
///
/// * `{columns}`, or `{t.columns}` with an alias: the columns that are read, for a `SELECT`.
/// * `{all}`, or `{r.all}` with an alias: all columns, for an `INSERT`.
/// * `{set}`: what an `UPDATE` sets from the rows that are its parameter, `j` in SQLite, `r` in PostgreSQL.
/// * `{excluded}`: what an `INSERT` sets of a row that is there already.
/// * `{values}` or `{j.values}`, in SQLite: the values of all columns in a row of `json_each`.
/// * `{record}`, in PostgreSQL: all columns with their types, for `json_to_recordset`.
#[derive(Debug)]
pub struct Statement<D, T> {
    template: &'static str,
    text: OnceLock<String>,
    about: PhantomData<fn() -> (D, T)>,
}

impl<D: Dialect, T: Entity> Statement<D, T> {
    /// Takes a statement with placeholders.
    #[must_use]
    pub const fn new(template: &'static str) -> Self {
        Self { template, text: OnceLock::new(), about: PhantomData }
    }

    /// Returns the text of the statement. It is put together once.
    pub fn text(&'static self) -> &'static str {
        self.text.get_or_init(|| fill::<D>(self.template, T::columns()))
    }
}

/// Returns the text of a statement about the entity of this name, for tests that read statements from sources. Without
/// such an entity the text stays as it is.
#[must_use]
pub fn expand<D: Dialect>(entity: &str, template: &str) -> String {
    let form = forms().into_iter().find(|form| form.entity == entity);
    form.map_or_else(|| template.to_owned(), |form| fill::<D>(template, form.columns))
}

fn fill<D: Dialect>(template: &str, columns: &[Column]) -> String {
    let mut text = String::with_capacity(2 * template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let (placeholder, after) = after.split_once('}').unwrap_or((after, ""));
        match columns_for::<D>(placeholder, columns) {
            Some(columns) => text.push_str(&columns),
            // Not one of ours, perhaps JSON.
            None => text.extend(["{", placeholder, "}"]),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

fn columns_for<D: Dialect>(placeholder: &str, columns: &[Column]) -> Option<String> {
    let (alias, list) = placeholder.rsplit_once('.').map_or(("", placeholder), |(alias, list)| (alias, list));
    let prefix = if alias.is_empty() { String::new() } else { format!("{alias}.") };
    let forms: Vec<String> = match list {
        "columns" => {
            columns.iter().filter(|column| column.is_read()).map(|column| format!("{prefix}{}", column.name)).collect()
        }
        "all" => columns.iter().map(|column| format!("{prefix}{}", column.name)).collect(),
        "excluded" => {
            let updated = columns.iter().filter(|column| column.is_updated());
            updated.map(|Column { name, .. }| format!("{name} = excluded.{name}")).collect()
        }
        "set" => columns.iter().filter(|column| column.is_updated()).map(|column| D::set(column.name)).collect(),
        other => columns.iter().map(|column| D::placeholder(other, &prefix, *column)).collect::<Option<_>>()?,
    };
    Some(forms.join(", "))
}

#[cfg(test)]
mod tests {
    use sqlx::{Postgres, Sqlite};

    use super::*;
    use crate::column::{ColumnType, Role};

    const COLUMNS: [Column; 3] = [
        Column { name: "id", column_type: ColumnType::Uuid, role: Role::Key },
        Column { name: "title", column_type: ColumnType::Text, role: Role::Changing },
        Column { name: "title_key", column_type: ColumnType::Text, role: Role::Derived },
    ];

    #[test]
    fn placeholders_become_lists_of_columns_and_other_braces_stay() {
        let filled = |template| fill::<Sqlite>(template, &COLUMNS);
        assert_eq!(filled("SELECT {t.columns}, '{}' FROM tasks"), "SELECT t.id, t.title, '{}' FROM tasks");
        assert_eq!(filled("({all})"), "(id, title, title_key)");
        assert_eq!(filled("{values}"), "value ->> 'id', value ->> 'title', value ->> 'title_key'");
        assert_eq!(filled("{set}"), "title = j.value ->> 'title', title_key = j.value ->> 'title_key'");
        let filled = |template| fill::<Postgres>(template, &COLUMNS);
        assert_eq!(filled("AS r ({record})"), "AS r (id uuid, title text, title_key text)");
        assert_eq!(filled("{set}"), "title = r.title, title_key = r.title_key");
        assert_eq!(filled("{values}"), "{values}");
    }
}
