//! For stores that speak SQL through sqlx: that the suite leaves none of their statements unexecuted. Nothing else in core
//! reads files.
//!
//! ```no_run
//! # use std::path::Path;
//! use taskflow_conformance::sql::{self, Executed};
//!
//! let executed = Executed::capture();
//! // Run the suite, and what a host does before and after.
//! executed.all_of(&sql::statements(Path::new("src"), |_entity, sql| sql.to_owned())?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use syn::visit::Visit;
use taskflow_core::Source;
use tracing::field::Field;
use tracing::span;
use tracing::subscriber::Subscriber;

/// A constant that holds SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Of the constant; not unique, since every file has its own.
    pub name: String,
    /// On one line, with single spaces.
    pub sql: String,
}

/// The reason why the statements in a folder cannot be listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// A source is not there or is not Rust.
    #[error("cannot read {}", path.display())]
    Source {
        /// Path of the source.
        path: PathBuf,
        /// Cause of the error.
        source: Source,
    },
    /// There is not one statement: no store lives here.
    #[error("no statement stands in {}", .0.display())]
    Nothing(PathBuf),
}

/// Statements that were not executed, by name and text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("never executed: {}", .0.join(", "))]
pub struct NeverExecuted(pub Vec<String>);

/// Returns the statements that stand in a folder of sources, as texts that begin with the verb of a statement: in constants,
/// and in statics of a type `Statement<Entity>`, whose text `expand` completes, given the name of the entity.
///
/// Those that steer a transaction do not count: sqlx does not log them, and without them nothing is written.
pub fn statements(folder: &Path, expand: fn(&str, &str) -> String) -> Result<Vec<Statement>, Unreadable> {
    let mut constants = Constants { found: Vec::new(), expand };
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        let unreadable = |source: Source| Unreadable::Source { path: path.clone(), source };
        if path.is_dir() {
            for entry in fs::read_dir(&path).map_err(|error| unreadable(error.into()))? {
                open.push(entry.map_err(|error| unreadable(error.into()))?.path());
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).map_err(|error| unreadable(error.into()))?;
            constants.visit_file(&syn::parse_file(&source).map_err(|error| unreadable(error.into()))?);
        }
    }
    if constants.found.is_empty() { Err(Unreadable::Nothing(folder.to_owned())) } else { Ok(constants.found) }
}

/// The statements that sqlx has executed in this process, according to its log events.
#[derive(Debug, Clone, Default)]
pub struct Executed(Arc<Mutex<HashSet<String>>>);

impl Executed {
    /// Listens from now on, for the whole process.
    ///
    /// # Panics
    ///
    /// When something else listens to what this process traces.
    #[must_use]
    pub fn capture() -> Self {
        let executed = Self::default();
        tracing::subscriber::set_global_default(executed.clone()).expect("nobody else listens");
        executed
    }

    /// Returns whether all these statements were executed. One whose text is completed at run time counts by its
    /// beginning.
    pub fn all_of(&self, statements: &[Statement]) -> Result<(), NeverExecuted> {
        let executed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unseen = |sql: &str| !executed.iter().any(|statement| statement.starts_with(sql));
        let missing = statements.iter().filter(|statement| unseen(&statement.sql));
        let missing: Vec<String> = missing.map(|statement| format!("{} ({})", statement.name, statement.sql)).collect();
        if missing.is_empty() { Ok(()) } else { Err(NeverExecuted(missing)) }
    }
}

impl Subscriber for Executed {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut logged = Logged::default();
        event.record(&mut logged);
        // A short statement is its own summary.
        let text = if logged.whole.trim().is_empty() { logged.summary } else { logged.whole };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(on_one_line(&text));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The log event of sqlx about a statement.
#[derive(Default)]
struct Logged {
    summary: String,
    whole: String,
}

impl tracing::field::Visit for Logged {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.whole),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

struct Constants {
    found: Vec<Statement>,
    expand: fn(&str, &str) -> String,
}

impl Constants {
    fn add(&mut self, name: &syn::Ident, text: &str) {
        let sql = on_one_line(text);
        let verb = sql.split(' ').next().unwrap_or_default();
        if ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "PRAGMA", "CREATE", "SET"].contains(&verb) {
            self.found.push(Statement { name: name.to_string(), sql });
        }
    }
}

impl<'ast> Visit<'ast> for Constants {
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        if let Some(text) = literal(&item.expr) {
            self.add(&item.ident, &text);
        }
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        let syn::Expr::Call(call) = &*item.expr else { return };
        let Some(text) = call.args.first().and_then(literal) else { return };
        if let Some(entity) = entity(&item.ty) {
            self.add(&item.ident, &(self.expand)(&entity, &text));
        }
    }
}

fn literal(expr: &syn::Expr) -> Option<String> {
    match expr {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

/// The entity of a type `Statement<Entity>`.
fn entity(ty: &syn::Type) -> Option<String> {
    let syn::Type::Path(ty) = ty else { return None };
    let statement = ty.path.segments.last().filter(|segment| segment.ident == "Statement")?;
    let syn::PathArguments::AngleBracketed(arguments) = &statement.arguments else { return None };
    match arguments.args.first()? {
        syn::GenericArgument::Type(syn::Type::Path(entity)) => Some(entity.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}

fn on_one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_statement_is_an_error_and_so_is_none_at_all() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ports");
        let as_it_is = |_: &str, sql: &str| sql.to_owned();
        assert!(matches!(statements(&sources, as_it_is), Err(Unreadable::Nothing(_))));
        let error = statements(Path::new("/nowhere.rs"), as_it_is).expect_err("no such file");
        assert_eq!(error.to_string(), "cannot read /nowhere.rs");
    }

    #[test]
    fn what_was_executed_counts_by_its_beginning_and_the_rest_is_named() {
        let statement = |name: &str, sql: &str| Statement { name: name.to_owned(), sql: sql.to_owned() };
        let executed = Executed::default();
        executed.0.lock().expect("nobody panicked").insert("SELECT 1 WHERE id = $1".to_owned());
        assert_eq!(executed.all_of(&[statement("ONE", "SELECT 1 WHERE id =")]), Ok(()));
        let missing = executed.all_of(&[statement("TWO", "SELECT 2")]).expect_err("not executed");
        assert_eq!(missing.to_string(), "never executed: TWO (SELECT 2)");
    }
}
