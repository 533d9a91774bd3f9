//! Columns that line up, whatever is painted in them.

use super::{Style, Tint};

#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<(String, Tint)>>,
}

impl Table {
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = (String, Tint)>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Each row indented; two spaces between columns, nothing after the last.
    pub(crate) fn render(&self, style: Style, indent: usize) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|(text, _)| text.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            let mut space = 0;
            for ((text, tint), width) in row.iter().zip(&widths) {
                if !text.is_empty() {
                    line.push_str(&" ".repeat(space));
                    line.push_str(&style.paint(*tint, text));
                    space = 0;
                }
                space += width - text.chars().count() + if *width > 0 { 2 } else { 0 };
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_clean() {
        let mut table = Table::default();
        let cell = |text: &str| (text.to_owned(), Tint::Plain);
        table.row([cell("Personal"), cell("63 %"), cell("")]);
        table.row([cell("Büro"), cell("5 %"), cell("resets 16:40")]);
        table.row([cell(""), cell(""), cell("x")]);
        let text = table.render(Style::plain(), 1);
        assert_eq!(
            text,
            " Personal  63 %\n Büro      5 %   resets 16:40\n                 x\n"
        );
    }
}
