//! Spans of time as people write them: `500ms`, `30s`, `5m`, `1h`, or a bare number of seconds.

use std::time::Duration;

/// Reads a span; a number without a unit counts seconds.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let millis = match unit.trim() {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
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
    fn spans_are_read_with_and_without_unit_and_written_back() {
        for (text, millis, shown) in [
            ("500ms", 500, "500ms"),
            ("30", 30_000, "30s"),
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
    fn nonsense_is_no_span() {
        for text in ["", "s", "-1s", "1.5s", "1d", "1 minute", "99999999999999999999", "18446744073709551615h", "٣s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
