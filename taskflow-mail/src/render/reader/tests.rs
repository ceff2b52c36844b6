use super::super::catalogue::Catalogues;
use super::super::shipped::WORDS;
use super::*;

fn told(locale: &str, zone: &str, tell: impl Fn(&Reader<'_>) -> Result<String, RenderError>) -> String {
    let sources = WORDS.iter().map(|(tag, text)| (*tag, *tag, *text));
    let catalogues = Catalogues::read(sources).expect("shipped words can be read");
    let words = catalogues.closest(&locale.parse().expect("a tag")).expect("English at least");
    let date = "2026-11-22T12:00:00Z".parse().expect("a time");
    let told = tell(&Reader { words, zone: &zone.parse().expect("a zone"), date }).expect("it is told");
    told.replace('\u{a0}', " ")
}

#[test]
fn a_time_and_its_zone_are_never_on_two_lines() {
    let catalogues = Catalogues::read(WORDS.iter().map(|(tag, text)| (*tag, *tag, *text))).expect("words");
    for (locale, expected) in
        [("en", "10:30\u{a0}CET"), ("de", "10:30\u{a0}Uhr\u{a0}MEZ"), ("en-US", "10:30\u{a0}AM\u{a0}CET")]
    {
        let words = catalogues.closest(&locale.parse().expect("a tag")).expect("English at least");
        let at: Timestamp = "2026-11-23T09:30:00Z".parse().expect("a time");
        let reader = Reader { words, zone: &"Europe/Berlin".parse().expect("a zone"), date: at };
        for told in [reader.clock(at), reader.brief(at), reader.short(at), reader.long(at)] {
            let told = told.expect("it is told");
            assert!(told.contains(expected), "{told:?}");
        }
    }
}

#[test]
fn what_stands_beside_another_time_of_the_same_zone_does_not_repeat_it() {
    let at = |text: &str| text.parse::<Timestamp>().expect("a time");
    let (winter, summer) = (at("2026-11-23T08:00:00Z"), at("2026-07-01T08:00:00Z"));
    let beside = |other| told("de", "Europe/Berlin", |reader| reader.long_beside(winter, other));
    assert_eq!(beside(winter), "Montag, 23. November 2026 um 09:00 Uhr");
    assert_eq!(beside(summer), "Montag, 23. November 2026 um 09:00 Uhr MEZ (Europe/Berlin)");
}

#[test]
fn times_are_told_in_the_readers_zone_with_its_name() {
    let at = "2026-07-01T12:00:00Z".parse().expect("a time");
    let long = |locale: &str, zone: &str| told(locale, zone, |reader| reader.long(at));
    assert_eq!(long("en", "Europe/Berlin"), "Wednesday, 1 July 2026 at 14:00 CEST (Europe/Berlin)");
    assert_eq!(long("en", "Europe/Istanbul"), "Wednesday, 1 July 2026 at 15:00 UTC+03 (Europe/Istanbul)");
    assert_eq!(long("en", "UTC"), "Wednesday, 1 July 2026 at 12:00 UTC");
    assert_eq!(long("de-AT", "Europe/Vienna"), "Mittwoch, 1. Juli 2026 um 14:00 Uhr MESZ (Europe/Vienna)");
    assert_eq!(long("de", "America/New_York"), "Mittwoch, 1. Juli 2026 um 08:00 Uhr EDT (America/New_York)");
    assert_eq!(long("en-US", "America/New_York"), "Wednesday, July 1, 2026 at 8:00 AM EDT (America/New_York)");
}

#[test]
fn lists_tell_times_shortly() {
    let at = "2026-11-23T23:05:00Z".parse().expect("a time");
    assert_eq!(told("en", "Europe/Berlin", |reader| reader.short(at)), "Tue 24 Nov 2026, 00:05 CET");
    assert_eq!(told("en-US", "UTC", |reader| reader.short(at)), "Mon, Nov 23, 2026, 11:05 PM UTC");
    assert_eq!(told("de", "Europe/Berlin", |reader| reader.brief(at)), "Di., 24. Nov., 00:05 Uhr MEZ");
    assert_eq!(told("de", "Asia/Kolkata", |reader| reader.clock(at)), "04:35 Uhr IST");
    // Written on Sunday, 22 November.
    for (at, expected) in [
        ("2026-11-22T22:59:00Z", "23:59 CET"),
        ("2026-11-22T23:00:00Z", "Mon 23 Nov, 00:00 CET"),
        ("2027-06-01T12:00:00Z", "Tue 1 Jun 2027, 14:00 CEST"),
        ("2026-01-01T12:00:00Z", "Thu 1 Jan 2026, 13:00 CET"),
    ] {
        let at = at.parse().expect("a time");
        assert_eq!(told("en", "Europe/Berlin", |reader| reader.in_list(at)), expected);
    }
}

#[test]
fn what_is_near_is_told_relative_to_the_date_of_the_mail() {
    // Written on Sunday at 13:00 in Berlin.
    let when = |locale: &str, at: &str| {
        let at = at.parse().expect("a time");
        told(locale, "Europe/Berlin", |reader| Ok(format!("{} {:?}", reader.relative(at)?, reader.timing(at))))
    };
    for (at, english, german) in [
        ("2026-11-22T12:00:29Z", "now Now", "jetzt Now"),
        ("2026-11-22T12:14:31Z", "in 15 minutes Ahead", "in 15 Minuten Ahead"),
        ("2026-11-22T13:00:00Z", "in 1 hour Ahead", "in 1 Stunde Ahead"),
        ("2026-11-22T14:01:00Z", "today at 15:01 Ahead", "heute um 15:01 Uhr Ahead"),
        ("2026-11-22T23:00:00Z", "tomorrow at 00:00 Ahead", "morgen um 00:00 Uhr Ahead"),
        ("2026-11-24T10:30:00Z", "on Tue 24 Nov, 11:30 CET Ahead", "am Di., 24. Nov., 11:30 Uhr MEZ Ahead"),
        ("2026-11-22T11:59:00Z", "today at 12:59 Late", "heute um 12:59 Uhr Late"),
    ] {
        assert_eq!((when("en", at).as_str(), when("de", at).as_str()), (english, german), "{at}");
    }
    assert_eq!(when("en-US", "2026-11-23T08:00:00Z"), "tomorrow at 9:00 AM Ahead");
    assert_eq!(when("en-US", "2026-11-22T15:00:00Z"), "today at 4:00 PM Ahead");
}

#[test]
fn every_month_and_weekday_has_its_name() {
    for month in 1..=12 {
        let at = format!("2026-{month:02}-{month:02}T00:00:00Z").parse().expect("a time");
        for locale in ["en", "de"] {
            assert!(told(locale, "UTC", |reader| reader.long(at)).contains("2026"));
        }
    }
    let at = "2028-02-29T00:00:00Z".parse().expect("a time");
    assert_eq!(told("en-US", "UTC", |reader| reader.clock(at)), "12:00 AM UTC");
}

#[test]
fn spans_are_told_in_hours_and_minutes() {
    let lasts = |locale: &str, minutes| told(locale, "UTC", |reader| reader.lasts(minutes));
    let told: Vec<_> = [1, 45, 60, 90, 121, 1440].map(|minutes| lasts("en", minutes)).into();
    let expected = ["1 minute", "45 minutes", "1 hour", "1 hour 30 minutes", "2 hours 1 minute", "24 hours"];
    assert_eq!(told, expected.map(str::to_owned));
    assert_eq!(lasts("de", 61), "1 Stunde 1 Minute");
}
