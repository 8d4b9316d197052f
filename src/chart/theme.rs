//! Colours by name, and SVG as a document of its own.

use std::fmt::Write as _;

use plotters::style::RGBColor;

/// Text and axes.
pub const INK: RGBColor = RGBColor(1, 1, 1);
/// Lines behind everything.
pub const GRID: RGBColor = RGBColor(1, 1, 2);
/// Observed values.
pub const SERIES: RGBColor = RGBColor(1, 1, 3);
/// What was expected.
pub const BAND: RGBColor = RGBColor(1, 1, 4);
/// What is marked by people.
pub const LABEL: RGBColor = RGBColor(1, 1, 5);
/// Alerts.
pub const ALERT: RGBColor = RGBColor(1, 1, 6);
/// Scores.
pub const SCORE: RGBColor = RGBColor(1, 1, 7);
/// A second thing of the same kind.
pub const OTHER: RGBColor = RGBColor(1, 1, 8);

/// Place-holders of the colours in a picture, and their names in a style sheet.
pub const PALETTE: [(&str, &str); 8] = [
    ("#010101", "ink"),
    ("#010102", "grid"),
    ("#010103", "series"),
    ("#010104", "band"),
    ("#010105", "label"),
    ("#010106", "alert"),
    ("#010107", "score"),
    ("#010108", "other"),
];

/// The colours themselves, on light and on dark ground; contrast with the ground is at least 3 to 1
/// for lines and 4.5 to 1 for text.
const COLOURS: &str = "\
:root { color-scheme: light dark; --ground: #fff; --raised: #f3f6fa; --ink: #1b2330; --faint: #5c6879; --grid: #d5dce6; \
--series: #2459a9; --band: #8fb5e6; --label: #b86f00; --alert: #c3261f; --score: #66748b; --other: #8b3fb8; --good: #1c7a4b; }
@media (prefers-color-scheme: dark) { :root { --ground: #12161d; --raised: #1b212b; --ink: #e4e9f1; --faint: #98a4b6; \
--grid: #303948; --series: #8bb8f5; --band: #35609a; --label: #e0a13c; --alert: #ff7a72; --score: #8f9db3; --other: #cf9af2; --good: #5fcf97; } }
";

/// Style rules: the colours as variables, and pictures that follow them.
pub fn css() -> String {
    let mut rules = COLOURS.to_owned();
    for (from, to) in PALETTE {
        let _ = writeln!(
            rules,
            "svg [fill=\"{from}\"] {{ fill: var(--{to}); }} svg [stroke=\"{from}\"] {{ stroke: var(--{to}); }}"
        );
    }
    rules
}

/// A colour as it stands in a picture.
pub fn hex(colour: RGBColor) -> String {
    let RGBColor(red, green, blue) = colour;
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Text that is no markup.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            // XML has no other control characters, not even escaped.
            '\t' | '\n' | '\r' => safe.push(' '),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// A picture that says in words what it shows.
pub fn labelled(svg: &str, label: &str) -> String {
    svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{}\" ", escape(label)), 1)
}

/// A picture as a file of its own, with its colours and a ground.
pub fn standalone(svg: &str) -> String {
    let Some(head) = svg.find("<svg").and_then(|from| Some(from + svg[from..].find('>')? + 1))
    else {
        return svg.to_owned();
    };
    let style = css();
    format!(
        "{}\n<style>\n{style}text {{ font-family: system-ui, sans-serif; }}\n</style>\n\
         <rect width=\"100%\" height=\"100%\" style=\"fill: var(--ground)\"/>{}",
        &svg[..head],
        &svg[head..],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        assert_eq!(escape("a<b>&\"'\u{0}\n"), "a&lt;b&gt;&amp;&quot;&#39;\u{fffd} ");
        let svg = labelled("<svg width=\"1\"></svg>", "\"><script>");
        assert_eq!(
            svg,
            "<svg role=\"img\" aria-label=\"&quot;&gt;&lt;script&gt;\" width=\"1\"></svg>"
        );
        let whole = standalone(&svg);
        assert!(whole.contains("--series: #2459a9") && whole.ends_with("/></svg>"), "{whole}");
    }
}
