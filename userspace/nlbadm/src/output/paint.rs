// SPDX-License-Identifier: GPL-2.0-only

//! Colours of what people read on a terminal: red is what is wrong, yellow what may be, green what is well.

use anstyle::{AnsiColor, Style};

use crate::obstacle::Verdict;

const STRONG: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// A text whose lines are painted one by one: a part of the line, and its style.
pub(super) fn paint(text: &str, line: fn(&str) -> Option<(&str, Style)>) -> String {
    let painted = |whole: &str| match line(whole) {
        Some((part, style)) => whole.replacen(part, &format!("{style}{part}{style:#}"), 1),
        None => whole.to_owned(),
    };
    text.split_inclusive('\n').map(painted).collect()
}

/// A line of `show`.
pub(super) fn show_line(line: &str) -> Option<(&str, Style)> {
    let line = line.trim_end();
    let text = line.trim_start();
    if line.starts_with("cluster: ") {
        return Some((line, STRONG));
    }
    if let Some(state) = text
        .strip_prefix("host: ")
        .and_then(|rest| rest.split_once('('))
    {
        return Some((state.1.trim_end_matches(')'), state_style(state.1)));
    }
    let (word, rest) = text.split_once(':').unwrap_or((text, ""));
    match word {
        "WARNING" => Some((word, DOUBTFUL)),
        "remedy" => Some((word, STRONG)),
        "key" if rest.starts_with(" NO KEY") => Some((rest.trim_start(), DOUBTFUL)),
        _ if word.len() > 3 && word.chars().all(|c| c.is_ascii_uppercase()) => Some((word, BAD)),
        // A row of a host that is out.
        _ if text.starts_with(|c: char| c.is_ascii_digit()) && text.contains("  out: ") => {
            Some((text, BAD))
        }
        _ => None,
    }
}

/// A line of `doctor`: the verdict is what it begins with.
pub(super) fn doctor_line(line: &str) -> Option<(&str, Style)> {
    let styles = [
        (Verdict::Ok, GOOD),
        (Verdict::Warning, DOUBTFUL),
        (Verdict::Problem, BAD),
        (Verdict::NotChecked, FAINT),
    ];
    let (verdict, style) = styles
        .into_iter()
        .find(|(verdict, _)| line.starts_with(&format!("{}  ", verdict.name())))?;
    Some((line.get(..verdict.name().len())?, style))
}

fn state_style(state: &str) -> Style {
    let begins = |words: &[&str]| words.iter().any(|word| state.starts_with(word));
    if state.contains("out: ") || begins(&["stopped", "suspended"]) {
        BAD
    } else if begins(&["converged"]) {
        GOOD
    } else {
        DOUBTFUL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_red_and_nothing_else_changes() {
        let text = "cluster: web\n  host: 1 (joining, out: duplicate-id)\n  CONFLICT: x\n  vip: 192.0.2.10\n\n  2     out: left\n";
        let painted = paint(text, show_line);
        for part in ["joining, out: duplicate-id", "CONFLICT", "2     out: left"] {
            assert!(
                painted.contains(&format!("{BAD}{part}{BAD:#}")),
                "{painted:?}"
            );
        }
        assert!(painted.contains("\n  vip: 192.0.2.10\n"), "{painted:?}");
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), text);
    }

    #[test]
    fn states_have_their_colours() {
        assert_eq!(
            show_line("  host: 1 (converged)"),
            Some(("converged", GOOD))
        );
        assert_eq!(
            show_line("  host: 1 (draining)"),
            Some(("draining", DOUBTFUL))
        );
        assert_eq!(show_line("  host: 1 (suspended)"), Some(("suspended", BAD)));
        assert_eq!(doctor_line("problem  eth0  mtu  x"), Some(("problem", BAD)));
        assert_eq!(
            doctor_line("not checked  lo  x"),
            Some(("not checked", FAINT))
        );
        assert_eq!(doctor_line("nlbadm 0.1.0 on Linux"), None);
    }
}
