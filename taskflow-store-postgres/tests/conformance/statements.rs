//! Which statements were executed, and which ones stand in the sources.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use syn::visit::Visit;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};

/// What sqlx has logged so far, white space normalised.
pub(crate) type Executed = Arc<Mutex<HashSet<String>>>;

/// Listens to the statements that sqlx logs, in the whole process.
pub(crate) fn capture() -> Executed {
    let executed = Executed::default();
    let statements = Targets::new().with_target("sqlx::query", tracing_subscriber::filter::LevelFilter::TRACE);
    let subscriber = tracing_subscriber::registry().with(Statements(executed.clone()).with_filter(statements));
    tracing::subscriber::set_global_default(subscriber).expect("the first subscriber");
    executed
}

/// The constants of this crate that hold SQL, with their names.
pub(crate) fn constants() -> Vec<(String, String)> {
    let mut constants = Constants::default();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut constants);
    assert!(constants.0.len() > 20, "the sources were not found");
    constants.0
}

/// The constants that hold a statement which was not executed. A statement whose text is put together counts by its
/// beginning.
pub(crate) fn missing(executed: &Executed) -> Vec<String> {
    let executed = executed.lock().unwrap_or_else(PoisonError::into_inner);
    let unseen = |sql: &String| !executed.iter().any(|statement| statement.starts_with(sql.as_str()));
    let missing = constants().into_iter().filter(|(_, sql)| unseen(sql));
    missing.map(|(name, sql)| format!("{name} ({sql})")).collect()
}

struct Statements(Executed);

impl<S: tracing::Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        // A short statement is its own summary.
        let text = if statement.whole.trim().is_empty() { statement.summary } else { statement.whole };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(normalised(&text));
    }
}

#[derive(Default)]
struct Statement {
    summary: String,
    whole: String,
}

impl tracing::field::Visit for Statement {
    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.whole),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
}

/// Names and texts of constants that hold SQL.
#[derive(Default)]
struct Constants(Vec<(String, String)>);

impl<'ast> Visit<'ast> for Constants {
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &*item.expr else { return };
        let sql = normalised(&text.value());
        // Not BEGIN, which sqlx does not log, and without which nothing is written.
        let verb = sql.split(' ').next().unwrap_or_default();
        if ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "SET"].contains(&verb) {
            self.0.push((item.ident.to_string(), sql));
        }
    }
}

fn read(folder: &Path, constants: &mut Constants) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read(&path, constants);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).expect("a source");
            constants.visit_file(&syn::parse_file(&source).expect("Rust"));
        }
    }
}

fn normalised(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}
