//! Charts as inline SVG: lines over time and bars, in the colours of the page they stand in.

use std::fmt::Write as _;

/// The whole drawing, in its own units.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 190.0;

/// Room around the plot for its figures.
const LEFT: f64 = 46.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 24.0;

/// Maximum number of steps of an axis.
const STEPS: f64 = 4.0;

/// Values over time; those of nothing are not drawn.
pub(super) struct Line<'a> {
    /// The class that colours it.
    pub(super) class: &'a str,
    /// One value for each part of the time.
    pub(super) values: &'a [f64],
}

/// Lines over `seconds`, with `about` for who cannot see them. `limit` is drawn as a line across.
pub(super) fn lines(about: &str, seconds: f64, lines: &[Line<'_>], limit: Option<f64>) -> String {
    let values = lines.iter().flat_map(|line| line.values.iter().copied());
    let scale = Scale::up_to(values.chain(limit).fold(0.0, f64::max));
    let time = Scale::up_to(seconds);
    let mut svg = begun(about);
    horizontal(&mut svg, &scale);
    for at in time.steps().take_while(|at| *at <= seconds * 1.001) {
        let x = LEFT + at / seconds.max(f64::MIN_POSITIVE) * (WIDTH - LEFT - RIGHT);
        let anchor = if x > WIDTH - 30.0 { "end" } else { "middle" };
        let _ = write!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{} s</text>",
            HEIGHT - 6.0,
            figure(at)
        );
    }
    if let Some(limit) = limit {
        let y = scale.y(limit);
        let _ = write!(
            svg,
            "<line class=\"limit\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
            WIDTH - RIGHT
        );
    }
    for line in lines {
        let wide = (WIDTH - LEFT - RIGHT) / line.values.len().max(1) as f64;
        let mut path = String::new();
        // As steps: a value is one of a stretch of time, and nothing is known in between.
        for (n, value) in line.values.iter().enumerate() {
            let (x, y) = (LEFT + n as f64 * wide, scale.y(*value));
            let _ = write!(path, "{}{x:.1} {y:.1}H{:.1}", if n == 0 { 'M' } else { 'L' }, x + wide);
        }
        let _ = write!(svg, "<path class=\"{}\" d=\"{path}\"/>", line.class);
    }
    svg.push_str("</svg>");
    svg
}

/// A bar for each name, with its value above it.
pub(super) fn bars(about: &str, bars: &[(&str, f64)]) -> String {
    let scale = Scale::up_to(bars.iter().map(|(_, value)| *value).fold(0.0, f64::max) * 1.1);
    let mut svg = begun(about);
    horizontal(&mut svg, &scale);
    let wide = (WIDTH - LEFT - RIGHT) / bars.len().max(1) as f64;
    for (n, (name, value)) in bars.iter().enumerate() {
        let (x, y) = (LEFT + n as f64 * wide, scale.y(*value));
        let (middle, below) = (x + wide / 2.0, HEIGHT - 6.0);
        let _ = write!(
            svg,
            "<rect class=\"bar\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\"/>\
             <text class=\"value\" x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <text x=\"{middle:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{name}</text>",
            x + wide * 0.2,
            wide * 0.6,
            HEIGHT - BOTTOM - y,
            y - 4.0,
            figure(*value),
        );
    }
    svg.push_str("</svg>");
    svg
}

fn begun(about: &str) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{about}\">")
}

/// The lines across and their figures.
fn horizontal(svg: &mut String, scale: &Scale) {
    for value in scale.steps() {
        let y = scale.y(value);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0,
            figure(value),
        );
    }
}

/// An axis from 0 up to a round number.
struct Scale {
    step: f64,
    top: f64,
}

impl Scale {
    /// One that holds `most`.
    fn up_to(most: f64) -> Self {
        let most = if most.is_finite() && most > 0.0 { most } else { 1.0 };
        let rough = most / STEPS;
        let power = 10_f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|round| round * power).find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(power * 10.0);
        Self { step, top: (most / step - 0.001).ceil().max(1.0) * step }
    }

    fn steps(&self) -> impl Iterator<Item = f64> + use<> {
        let (step, count) = (self.step, (self.top / self.step).round() as u32);
        (0..=count).map(move |n| f64::from(n) * step)
    }

    fn y(&self, value: f64) -> f64 {
        TOP + (1.0 - (value / self.top).clamp(0.0, 1.0)) * (HEIGHT - TOP - BOTTOM)
    }
}

/// As short as it can be read: 1.5, 40, 2 k.
fn figure(value: f64) -> String {
    match value {
        v if v >= 1_000_000.0 => format!("{} M", short(v / 1e6)),
        v if v >= 10_000.0 => format!("{} k", short(v / 1e3)),
        v => short(v),
    }
}

/// Without zeros at the end.
fn short(value: f64) -> String {
    let digits = match value {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_a_few_round_steps() {
        for (most, steps) in [
            (4_100.0, vec![0.0, 2_000.0, 4_000.0, 6_000.0]),
            (100.0, vec![0.0, 25.0, 50.0, 75.0, 100.0]),
            (0.0, vec![0.0, 0.25, 0.5, 0.75, 1.0]),
            (f64::NAN, vec![0.0, 0.25, 0.5, 0.75, 1.0]),
        ] {
            assert_eq!(Scale::up_to(most).steps().collect::<Vec<_>>(), steps, "{most}");
        }
    }

    #[test]
    fn figures_are_short() {
        let figures = [0.0, 0.5, 1.25, 40.0, 100.0, 4_000.0, 12_500.0, 2_000_000.0].map(figure);
        assert_eq!(figures, ["0", "0.5", "1.25", "40", "100", "4000", "12.5 k", "2 M"]);
    }

    #[test]
    fn a_chart_of_nothing_is_one_all_the_same() {
        let line = Line { class: "sent", values: &[] };
        for svg in [lines("nothing", 0.0, &[line], None), bars("nothing", &[])] {
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>") && !svg.contains("NaN"), "{svg}");
        }
    }
}
