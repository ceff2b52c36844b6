//! Spans of time as people write them: `500ms`, `30s`, `5m`, `1h`.

use std::time::Duration;

/// Reads a span. A number needs a unit, unless it is 0.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let millis = match unit.trim() {
        "ms" => 1,
        "" if number > 0 => return None,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// Reads a span for a setting whose name says that it counts seconds: the unit may be left out.
pub(super) fn parse_seconds(text: &str) -> Option<Duration> {
    match text.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => parse(text),
    }
}

/// A text with numbers that lack their unit, written with one, for who has to choose: `5s or 5m`. `None` when no number
/// lacks it.
pub(super) fn with_units(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let is_bare = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let with = |unit: &str| {
        let part = |part: &&str| if is_bare(part) { format!("{part}{unit}") } else { (*part).to_owned() };
        parts.iter().map(part).collect::<Vec<_>>().join(",")
    };
    parts.iter().any(is_bare).then(|| format!("{} or {}", with("s"), with("m")))
}

/// Writes a span in the largest unit that leaves no rest, so that [`parse`] reads it back.
pub(super) fn show(span: Duration) -> String {
    let millis = span.as_millis();
    for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if millis > 0 && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    format!("{millis}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_unit_and_written_back() {
        for (text, millis, shown) in [
            ("500ms", 500, "500ms"),
            ("30s", 30_000, "30s"),
            ("90 s", 90_000, "90s"),
            ("5m", 300_000, "5m"),
            ("1h", 3_600_000, "1h"),
            ("0", 0, "0ms"),
        ] {
            let span = parse(text).expect(text);
            assert_eq!((span, show(span).as_str()), (Duration::from_millis(millis), shown), "{text}");
        }
    }

    #[test]
    fn a_number_without_a_unit_counts_seconds_only_where_the_name_says_so() {
        assert_eq!(parse_seconds("30"), Some(Duration::from_secs(30)));
        assert_eq!(parse_seconds("2m"), Some(Duration::from_mins(2)));
        assert_eq!((parse_seconds("-1"), parse_seconds("x")), (None, None));
        assert_eq!(with_units("5").as_deref(), Some("5s or 5m"));
        assert_eq!(with_units("1, 5m,30").as_deref(), Some("1s,5m,30s or 1m,5m,30m"));
        assert_eq!((with_units("5m"), with_units("soon"), with_units("")), (None, None, None));
    }

    #[test]
    fn nonsense_is_no_span() {
        for text in
            ["", "30", "s", "-1s", "1.5s", "1d", "1 minute", "99999999999999999999", "18446744073709551615h", "٣s"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
