// SPDX-License-Identifier: GPL-2.0-only

//! Columns of text.

/// Rows laid out below a heading, see [`layout`].
pub(super) fn table<const N: usize>(
    indent: &str,
    heading: [&str; N],
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let mut all = vec![heading.map(str::to_owned).to_vec()];
    all.extend(rows);
    layout(indent, &all)
}

/// Lays rows out in columns, two spaces apart; no spaces at the end of a line. Each line starts with `indent`.
pub(super) fn layout(indent: &str, rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = indent.to_owned();
        for (cell, &width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            vec!["a".into(), "bcd".into()],
            vec!["läng".into(), String::new()],
        ];
        assert_eq!(layout("  ", &rows), "  a     bcd\n  läng\n");
    }
}
