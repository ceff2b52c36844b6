//! Logs: for people on a terminal, one JSON object a line otherwise. They go to standard error; standard output belongs
//! to the results of commands.

use std::fmt;
use std::io::IsTerminal;

use taskflow_core::NodeId;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{self, FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// Directives that always apply, because more detailed logs of these targets would contain secrets.
const SECRETIVE: [&str; 3] = ["tungstenite=info", "tokio_tungstenite=info", "sqlx_postgres::options=off"];

/// Returns whether logs are written to a terminal.
#[must_use]
pub fn on_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Begins to log what `filter` lets through; a filter that cannot be read logs `info`. The first call counts.
pub fn start(filter: &str, node_id: &NodeId) {
    // What makes the beat of the jobs has nothing to tell, unless somebody asks.
    let filter =
        if filter.contains("cron") { filter.to_owned() } else { format!("tokio_cron_scheduler=error,{filter}") };
    let filter = EnvFilter::builder().parse(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // Below these levels they write down what clients say, which may be a token, and what a URL says, which may be a
    // password.
    let filter = SECRETIVE.into_iter().filter_map(|it| it.parse().ok()).fold(filter, EnvFilter::add_directive);
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error means that somebody logs already, as tests do.
    let _ = if on_terminal() {
        logs.with_ansi(std::env::var_os("NO_COLOR").is_none()).with_target(false).try_init()
    } else {
        let json = format::json().flatten_event(true).with_current_span(true).with_span_list(false);
        let fields = format::JsonFields::new();
        logs.fmt_fields(fields).event_format(WithNode { node_id: node_id.clone(), json }).try_init()
    };
}

/// Tells of panics in the log, so that they look like everything else there.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "panicked: {}", panic.payload_as_str().unwrap_or("no message"));
    }));
}

/// The sources of an event's error. The JSON format writes only the error itself; the format for terminals writes the
/// sources anyway.
#[derive(Default)]
struct Cause(String);

impl Visit for Cause {
    fn record_error(&mut self, _field: &Field, error: &(dyn std::error::Error + 'static)) {
        let causes = std::iter::successors(error.source(), |error| error.source());
        self.0 = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

/// JSON lines that begin with the name of the node, and say what caused an error.
struct WithNode {
    node_id: NodeId,
    json: format::Format<format::Json>,
}

impl<S, N> FormatEvent<S, N> for WithNode
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.json.format_event(context, Writer::new(&mut line), event)?;
        let Some(rest) = line.strip_prefix('{') else { return writer.write_str(&line) };
        // Node ids are letters, digits, '.', '_' and '-' only: nothing to escape.
        write!(writer, "{{\"node\":\"{}\",", self.node_id)?;
        let mut cause = Cause::default();
        event.record(&mut cause);
        if !cause.0.is_empty() {
            write!(writer, "\"error.cause\":{},", serde_json::Value::String(cause.0))?;
        }
        writer.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Logs what `log` logs and returns the line.
    fn line(log: impl FnOnce()) -> serde_json::Value {
        let lines = Lines::default();
        let writer = lines.clone();
        let json = format::json().flatten_event(true).with_current_span(true).with_span_list(false);
        let logs = tracing_subscriber::fmt()
            .fmt_fields(format::JsonFields::new())
            .event_format(WithNode { node_id: "n-1".parse().expect("a name"), json })
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(logs, log);
        let text = String::from_utf8(lines.0.lock().expect("no panic").clone()).expect("UTF-8");
        serde_json::from_str(text.trim_end()).expect("one JSON object")
    }

    #[test]
    fn lines_are_json_with_node_span_and_fields() {
        let line = line(|| {
            let _span = tracing::info_span!("request", request_id = "r-1").entered();
            tracing::info!(count = 2, "sent");
        });
        assert_eq!(line["node"], "n-1");
        assert_eq!((&line["message"], &line["count"]), (&"sent".into(), &2.into()));
        assert_eq!(line["span"]["request_id"], "r-1");
        assert_eq!(line.get("error.cause"), None);
    }

    #[test]
    fn an_error_is_logged_with_everything_that_caused_it() {
        let source = taskflow_core::CorruptRow { table: "tasks", column: "title", message: "is \"empty\"".to_owned() };
        let said = source.to_string();
        let error = taskflow_core::Error::Internal(taskflow_core::StoreError::Internal(source.into()).into());
        let line = line(|| tracing::error!(error = &error as &dyn std::error::Error, "the store failed"));
        assert_eq!(line["error"], "internal error");
        assert_eq!(line["error.cause"], format!("internal storage error: {said}"));
    }
}
