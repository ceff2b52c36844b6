//! `taskflow mail preview`: a notice with made-up content, in a file.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;
use taskflow_core::ports::{Clock, SystemClock};
use taskflow_core::{Content, Locale, NoticeKind, Zone};

use crate::cli::failure::Failure;
use crate::cli::output::{self, Format as Output, Report};
use crate::config::Config;
use crate::samples::Samples;

/// Which notice, for whom and as what.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct Preview {
    /// The kind of notice
    #[arg(value_name = "NOTICE", value_parser = notice())]
    notice: NoticeKind,
    /// Language it is written in
    #[arg(long, value_name = "TAG", default_value = "en", value_parser = parsed::<Locale>)]
    locale: Locale,
    /// Time zone of its times
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = parsed::<Zone>)]
    zone: Zone,
    /// What to write: the HTML, the plain text, or the source of the whole mail
    #[arg(long, value_name = "FORMAT", default_value = "html")]
    format: Format,
    /// Where to write it, - for standard output; by default NOTICE.LOCALE.html, .txt or .eml
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Open the file with the program of this machine for such files, usually a browser
    #[arg(long)]
    open: bool,
}

/// The file that was written.
#[derive(Debug, Serialize)]
struct Written {
    file: String,
}

impl Report for Written {
    fn text(&self) -> String {
        format!("wrote {}", self.file)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Html,
    Text,
    Source,
}

impl Format {
    fn ending(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Text => "txt",
            Self::Source => "eml",
        }
    }
}

fn notice() -> impl TypedValueParser<Value = NoticeKind> {
    let kinds = NoticeKind::ALL.into_iter().filter(|kind| *kind != NoticeKind::Sample);
    PossibleValuesParser::new(kinds.map(NoticeKind::as_str)).try_map(|word| word.parse::<NoticeKind>())
}

fn parsed<T: std::str::FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

pub(super) fn run(preview: &Preview, config: &Config, format: Output) -> Result<(), Failure> {
    let text = render(preview, config)?;
    let file = match &preview.output {
        Some(file) if file == Path::new("-") => return output::line(text.trim_end()),
        Some(file) => file.clone(),
        None => format!("{}.{}.{}", preview.notice, preview.locale, preview.format.ending()).into(),
    };
    output::file(&file, &text)?;
    format.print(&Written { file: file.display().to_string() })?;
    if preview.open { open(&file) } else { Ok(()) }
}

fn render(preview: &Preview, config: &Config) -> Result<String, Failure> {
    let (samples, now) = (Samples::new(config), SystemClock::new().now());
    let nothing = |what: &str| Failure::new(format!("there is no {what} of {} to show", preview.notice));
    let content = samples.content(preview.notice, &preview.locale, &preview.zone, now);
    let content = content.map_err(|error| Failure::of("cannot render it", &error))?.ok_or_else(|| nothing("sample"))?;
    match preview.format {
        Format::Html => content.html.ok_or_else(|| nothing("HTML").advise("see its text with --format text")),
        Format::Text => Ok(content.text),
        Format::Source => source(&samples, preview.notice, content, config, now),
    }
}

fn source(
    samples: &Samples,
    notice: NoticeKind,
    content: Content,
    config: &Config,
    now: taskflow_core::Timestamp,
) -> Result<String, Failure> {
    let source = samples.source(notice, content, &config.mail_from, now);
    source.map_err(|error| Failure::of("cannot write it as a mail", &error))
}

/// Leaves the program that shows it to itself.
fn open(file: &Path) -> Result<(), Failure> {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    let mut command = Command::new(opener);
    let started = command.arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    started.map(drop).map_err(|error| {
        Failure::new(format!("cannot open {}: {opener}: {error}", file.display())).advise("open it by hand")
    })
}
