//! Mails per second of the SMTP pool alone, beside Postfix's own `smtp-source` in the same run; the relay is its
//! `smtp-sink`, which throws everything away.
//!
//! `cargo bench --features smtp --bench smtp` prints a line of JSON per round. The two programs come from Debian's
//! package `postfix`, downloaded once and unpacked, never installed; `SMTP_BENCH_POSTFIX` names a directory that has it
//! unpacked already. `SMTP_BENCH_MAILS` says how many mails a round has, `SMTP_BENCH_ROUNDS` how many rounds there are.

#![expect(clippy::print_stdout, reason = "figures go to standard output")]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

mod far;
mod postfix;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use postfix::{Postfix, Sink};
use taskflow_core::ports::{MailError, Mailer, SystemClock};
use taskflow_core::{Content, DeliveryId, Headers, Mail, Mailbox, Timestamp};
use taskflow_mail::{Message, Security, SmtpMailer, SmtpSettings};
use tokio::runtime::Runtime;
use uuid::Uuid;

/// Length of a mail in octets, as in the targets.
const LENGTH: usize = 8_000;

/// Connections on loopback, and with a round trip between.
const NEAR: usize = 16;
const FAR: usize = 64;
const ROUND_TRIP: Duration = Duration::from_millis(20);

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    let measured = Runtime::new().map_err(Failure::from).and_then(|runtime| runtime.block_on(measure()));
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{{\"error\": \"{error}\"}}");
            ExitCode::FAILURE
        }
    }
}

fn setting(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

async fn measure() -> Result<(), Failure> {
    let postfix = Postfix::find()?;
    let (mails, rounds) = (setting("SMTP_BENCH_MAILS", 40_000), setting("SMTP_BENCH_ROUNDS", 5));
    let sink = postfix.sink(true).await?;
    near(&postfix, &sink, mails, rounds).await?;
    far(&postfix, &sink, mails / 10, rounds).await
}

/// On loopback, where processor time is what counts.
async fn near(postfix: &Postfix, sink: &Sink, mails: u32, rounds: u32) -> Result<(), Failure> {
    let mailer = mailer(sink.port, NEAR)?;
    // As many mails at once as there are connections, and twice as many, so that one can ride behind another.
    let mut ratios = [Vec::new(), Vec::new()];
    let mut writing = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        let yardstick = postfix.source(sink.port, NEAR, mails, LENGTH).await?;
        for ((ratios, writing), abreast) in ratios.iter_mut().zip(&mut writing).zip([NEAR, 2 * NEAR]) {
            let ours = send(&mailer, mails, abreast).await?;
            let written = write_and_send(&mailer, mails, abreast).await?;
            // The first round opens connections.
            if round > 0 {
                ratios.push(ours / yardstick);
                writing.push(written / yardstick);
                report("loopback, 16 connections", abreast, "smtp-source", yardstick, ours);
                report("loopback, each written as it is sent", abreast, "smtp-source", yardstick, written);
            }
        }
    }
    for (mut ratios, abreast) in writing.into_iter().zip([NEAR, 2 * NEAR]) {
        let ratio = median(&mut ratios);
        println!("{{\"bench\": \"loopback, written\", \"abreast\": {abreast}, \"median_ratio\": {ratio:.2}}}");
    }
    for (mut ratios, abreast) in ratios.into_iter().zip([NEAR, 2 * NEAR]) {
        println!("{{\"bench\": \"loopback\", \"abreast\": {abreast}, \"median_ratio\": {:.2}}}", median(&mut ratios));
    }
    Ok(())
}

/// With a round trip between, where waiting is what counts: beside a sender that has no PIPELINING, and beside our own
/// pool at a relay that does not offer it.
async fn far(postfix: &Postfix, sink: &Sink, mails: u32, rounds: u32) -> Result<(), Failure> {
    let plain = postfix.sink(false).await?;
    let (road, slow_road) = (far::road(sink.port, ROUND_TRIP / 2).await?, far::road(plain.port, ROUND_TRIP / 2).await?);
    let (mailer, one_by_one) = (mailer(road, FAR)?, mailer(slow_road, FAR)?);
    let mut ratios = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        let yardstick = postfix.source(road, FAR, mails, LENGTH).await?;
        let unpipelined = send(&one_by_one, mails, FAR).await?;
        for (ratios, abreast) in ratios.iter_mut().zip([FAR, 2 * FAR]) {
            let ours = send(&mailer, mails, abreast).await?;
            if round > 0 {
                ratios.push(ours / yardstick.max(unpipelined));
                report("20 ms, 64 connections", abreast, "smtp-source", yardstick, ours);
                report("20 ms, 64 connections", abreast, "without PIPELINING", unpipelined, ours);
            }
        }
    }
    for (mut ratios, abreast) in ratios.into_iter().zip([FAR, 2 * FAR]) {
        println!("{{\"bench\": \"20 ms\", \"abreast\": {abreast}, \"median_ratio\": {:.2}}}", median(&mut ratios));
    }
    Ok(())
}

fn report(bench: &str, abreast: usize, yardstick: &str, theirs: f64, ours: f64) {
    println!(
        "{{\"bench\": \"{bench}\", \"abreast\": {abreast}, \"yardstick\": \"{yardstick}\", \
         \"yardstick_per_s\": {theirs:.0}, \"per_s\": {ours:.0}, \"ratio\": {:.2}}}",
        ours / theirs
    );
}

fn median(ratios: &mut [f64]) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
}

fn mailer(port: u16, connections: usize) -> Result<Arc<SmtpMailer>, Failure> {
    let settings = SmtpSettings::new("127.0.0.1", port, sender()?)
        .security(Security::Plain)
        .connections(connections)
        .mails_per_connection(u32::MAX)
        .hello("client.example");
    Ok(Arc::new(SmtpMailer::new(settings, Arc::new(SystemClock::new()))?))
}

fn sender() -> Result<Mailbox, Failure> {
    Ok(Mailbox { name: Some("TaskFlow".to_owned()), address: "tasks@sender.example".parse()? })
}

/// Sends that many mails which were written before, `abreast` of them at once; how many there were per second.
async fn send(mailer: &Arc<SmtpMailer>, mails: u32, abreast: usize) -> Result<f64, Failure> {
    let template = Arc::new(Message::write(&sender()?, &mail()?)?);
    let send = |mailer: Arc<SmtpMailer>, template: Arc<Message>| async move {
        mailer.send_written(Message::clone(&template)).await.map(|_| ())
    };
    rate(mailer, template, mails, abreast, send).await
}

/// The same when each is written as it is sent, as mailers do it.
async fn write_and_send(mailer: &Arc<SmtpMailer>, mails: u32, abreast: usize) -> Result<f64, Failure> {
    let send = |mailer: Arc<SmtpMailer>, mail: Arc<Mail>| async move { mailer.send(&mail).await.map(|_| ()) };
    rate(mailer, Arc::new(mail()?), mails, abreast, send).await
}

async fn rate<M, S, F>(
    mailer: &Arc<SmtpMailer>,
    mail: Arc<M>,
    mails: u32,
    abreast: usize,
    send: S,
) -> Result<f64, Failure>
where
    M: Send + Sync + 'static,
    S: Fn(Arc<SmtpMailer>, Arc<M>) -> F + Copy + Send + 'static,
    F: Future<Output = Result<(), MailError>> + Send,
{
    let left = Arc::new(AtomicU32::new(mails));
    let began = Instant::now();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..abreast {
        let (mailer, mail, left) = (Arc::clone(mailer), Arc::clone(&mail), Arc::clone(&left));
        senders.spawn(async move {
            let take = |left: u32| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                send(Arc::clone(&mailer), Arc::clone(&mail)).await?;
            }
            Ok::<_, MailError>(())
        });
    }
    while let Some(ended) = senders.join_next().await {
        ended??;
    }
    Ok(f64::from(mails) / began.elapsed().as_secs_f64())
}

/// A mail of about [`LENGTH`] octets, text and HTML.
fn mail() -> Result<Mail, Failure> {
    let line = "Prepare the board meeting, and bring the figures of the last quarter along.\n";
    let text = line.repeat(LENGTH / line.len() / 4);
    let html = format!("<p>{}</p>\n", line.repeat(LENGTH / line.len() * 5 / 8));
    Ok(Mail {
        id: DeliveryId::from_uuid(Uuid::from_u128(7)),
        date: "2026-11-22T12:00:00Z".parse::<Timestamp>()?,
        to: Mailbox { name: Some("Ada".to_owned()), address: "ada@reader.example".parse()? },
        content: Content { subject: "Your day".to_owned(), text, html: Some(html) },
        calendar: None,
        headers: Headers::default(),
    })
}
