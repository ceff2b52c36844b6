//! The figures of runs as one page: nothing of it comes from elsewhere, and it follows the reader's colours and width.

use std::fmt::Write as _;

use super::chart::{self, Line};
use super::report::Report;

/// Durations that the original service promised, in seconds, by number of users.
const PROMISED: [(u64, f64); 4] =
    [(1_000, 30.0), (10_000, 5.0 * 60.0), (100_000, 50.0 * 60.0), (1_000_000, 8.0 * 3_600.0)];

/// A run may hold as much memory, in MiB, however many people there are.
const MOST_MEMORY: f64 = 100.0;

const STYLE: &str = include_str!("page.css");

/// The page, the stores one after the other and in each the smallest run first.
pub(super) fn html(reports: &[Report]) -> String {
    let mut reports: Vec<&Report> = reports.iter().collect();
    // SQLite is what everybody has to begin with.
    reports.sort_by_key(|report| (report.database != "sqlite", report.database.clone(), report.users));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>TaskFlow: a mail to everybody</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>A mail to everybody</h1>\n\
         <p>Everybody gets their daily summary: it is planned by its job, claimed, loaded, looked at once more, rendered, \
         sent over SMTP and settled in the ledger. Planning and sending follow each other here, and all of the mail is due \
         at the moment in which planning begins.</p>\n"
    );
    table(&mut page, &reports);
    for report in &reports {
        section(&mut page, report);
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// Every run in a row; on a narrow screen each is a card of its own.
fn table(page: &mut String, reports: &[&Report]) {
    let heads = [
        "People",
        "Store",
        "Planned/s",
        "Sent/s",
        "Time",
        "Promised",
        "Faster",
        "Memory",
        "Accounted for",
        "Yardstick",
    ];
    page.push_str("<table>\n<thead><tr>");
    for head in heads {
        let _ = write!(page, "<th scope=\"col\">{head}</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for report in reports {
        let promised = PROMISED.iter().find(|(users, _)| *users == report.users).map(|(_, seconds)| *seconds);
        let none = || "–".to_owned();
        let accounted = report.accounted_for().min(report.users);
        let cells = [
            whole(report.users as f64),
            store(report).to_owned(),
            whole(report.planned_per_s),
            whole(report.sent_per_s),
            time(report.wall_s),
            promised.map_or_else(none, time),
            promised.map_or_else(none, |seconds| format!("{} ×", whole(seconds / report.wall_s.max(0.001)))),
            report.peak_rss_mb.map_or_else(none, |mb| format!("{mb:.0} MiB")),
            format!("{} %", 100.0 * accounted as f64 / report.users.max(1) as f64),
            report
                .yardstick_per_s
                .map_or_else(none, |rate| format!("{:.2} of {}/s", report.sent_per_s / rate, whole(rate))),
        ];
        page.push_str("<tr>");
        for (head, cell) in heads.iter().zip(cells) {
            let _ = write!(page, "<td data-head=\"{head}\">{cell}</td>");
        }
        page.push_str("</tr>\n");
    }
    page.push_str(
        "</tbody>\n</table>\n<p class=\"quiet\">Time is planning and sending together. Promised is what the original service \
         gave itself for as many people. The yardstick is the rate at which another sender brought mail to the same relay \
         just before.</p>\n",
    );
}

/// One run with its charts.
fn section(page: &mut String, report: &Report) {
    let (history, late, made) = (&report.history, &report.lateness_s, &report.made);
    let people = format!("{} people on {}", whole(report.users as f64), store(report));
    let every = history.every_s.max(f64::MIN_POSITIVE);
    let rates = |counts: &[u64]| counts.iter().map(|count| *count as f64 / every).collect::<Vec<_>>();
    let (planned, sent) = (rates(&history.planned), rates(&history.sent));
    let seconds = every * history.planned.len() as f64;
    let throughput = chart::lines(
        &format!(
            "Mails a second over {}: planned at {}, sent at {}",
            time(report.wall_s),
            whole(report.planned_per_s),
            whole(report.sent_per_s)
        ),
        seconds,
        &[Line { class: "planned", values: &planned }, Line { class: "sent", values: &sent }],
        None,
    );
    let lateness = chart::bars(
        &format!("Seconds after it was due: half of the mail within {}, all within {}", late.p50, late.max),
        &[
            ("50 %", late.p50),
            ("90 %", late.p90),
            ("95 %", late.p95),
            ("99 %", late.p99),
            ("99.9 %", late.p99_9),
            ("all", late.max),
        ],
    );
    let _ = write!(
        page,
        "<section>\n<h2>{people}</h2>\n<div class=\"charts\">\n\
         <figure><figcaption>Mails a second: <span class=\"key planned\">planned</span> <span class=\"key sent\">sent</span>\
         </figcaption>{throughput}</figure>\n"
    );
    if !history.memory_mb.is_empty() {
        let most = history.memory_mb.iter().copied().fold(0.0, f64::max);
        let memory = chart::lines(
            &format!("Memory over time, {most} MiB at most"),
            seconds,
            &[Line { class: "memory", values: &history.memory_mb }],
            Some(MOST_MEMORY),
        );
        let _ = writeln!(
            page,
            "<figure><figcaption>Memory (MiB), <span class=\"key limit\">allowed</span></figcaption>{memory}</figure>"
        );
    }
    let _ = write!(
        page,
        "<figure><figcaption>Sent so many seconds after it was due</figcaption>{lateness}</figure>\n</div>\n\
         <p class=\"quiet\"><code>{}</code><br>taskflow {}, {}{}{}, {} connections; people made in {}{}; {}</p>\n</section>\n",
        escaped(&made.command),
        escaped(&made.version),
        escaped(&made.machine),
        made.load_before.map(|load| format!(", load {load} before")).unwrap_or_default(),
        report.mail_octets.map(|octets| format!(", {octets} octets a mail")).unwrap_or_default(),
        report.connections,
        time(report.seeded_s),
        made.note.as_deref().map(|note| format!("; {}", escaped(note))).unwrap_or_default(),
        escaped(made.at.split('.').next().unwrap_or_default()),
    );
}

fn store(report: &Report) -> &str {
    match report.database.as_str() {
        "sqlite" => "SQLite",
        "postgres" => "PostgreSQL",
        _ => "another store",
    }
}

/// Without digits behind the point, in groups of three.
fn whole(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// In the unit in which it is said.
fn time(seconds: f64) -> String {
    match seconds {
        s if s >= 3_600.0 => format!("{:.1} h", s / 3_600.0).replace(".0 h", " h"),
        s if s >= 100.0 => format!("{:.1} min", s / 60.0).replace(".0 min", " min"),
        s if s >= 10.0 => format!("{s:.1} s").replace(".0 s", " s"),
        s => format!("{s:.2} s"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_people_write_them() {
        assert_eq!([0.0, 999.4, 1_000.0, 1_234_567.0].map(whole), ["0", "999", "1,000", "1,234,567"]);
        let times = [0.404, 30.0, 34.8, 300.0, 28_800.0].map(time);
        assert_eq!(times, ["0.40 s", "30 s", "34.8 s", "5 min", "8 h"]);
    }

    #[test]
    fn what_was_typed_cannot_write_the_page() {
        assert_eq!(escaped("<script a=\"b\">&"), "&lt;script a=&quot;b&quot;&gt;&amp;");
    }
}
