//! `taskflow mail preview`: a notice with made-up content, in a file.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use taskflow_core::ports::{Clock, SystemClock};
use taskflow_core::{Content, Locale, NoticeKind, Zone};

use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::Config;
use crate::wiring::Samples;

/// Which notice, for whom and as what.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct Preview {
    /// Which, as in welcome or daily_summary.
    #[arg(value_name = "NOTICE", value_parser = notice)]
    notice: NoticeKind,
    /// The language it is written in.
    #[arg(long, value_name = "TAG", default_value = "en", value_parser = parsed::<Locale>)]
    locale: Locale,
    /// The zone that times are told in.
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = parsed::<Zone>)]
    zone: Zone,
    /// What to write: its HTML, its plain text, or the whole mail.
    #[arg(long, value_name = "FORMAT", default_value = "html")]
    format: Format,
    /// Where to write it; - prints it. NOTICE.LOCALE and an ending that fits when left out.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Opens the file with whatever this machine shows such files with, usually a browser.
    #[arg(long)]
    open: bool,
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

fn notice(word: &str) -> Result<NoticeKind, String> {
    word.parse().map_err(|_| {
        let kinds = NoticeKind::ALL.into_iter().filter(|kind| *kind != NoticeKind::Sample);
        format!("take one of {}", kinds.map(NoticeKind::as_str).collect::<Vec<_>>().join(", "))
    })
}

fn parsed<T: std::str::FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

pub(super) fn run(preview: &Preview, config: &Config) -> Result<(), Failure> {
    let text = render(preview, config)?;
    let file = match &preview.output {
        Some(file) if file == Path::new("-") => return output::line(text.trim_end()),
        Some(file) => file.clone(),
        None => format!("{}.{}.{}", preview.notice, preview.locale, preview.format.ending()).into(),
    };
    std::fs::write(&file, text).map_err(|error| {
        Failure::new(format!("cannot write {}: {error}", file.display())).advise("name another file with --output")
    })?;
    output::line(&format!("wrote {}", file.display()))?;
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
