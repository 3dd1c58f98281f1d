//! Tables for people: aligned, without lines, fitted to the terminal.

use std::{fmt::Write as _, io::Write};

use anstyle::Style;
use anyhow::Result;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Out, style};
use crate::text::clean;

/// Blanks between columns.
const GAP: usize = 2;

/// A table that is printed bit by bit: columns keep the width that the rows so far have asked for.
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    is_begun: bool,
}

struct Column {
    title: &'static str,
    align: Align,
    width: usize,
}

/// To which side the cells of a column go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A cell: text that is safe to show, and how it looks.
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(crate) fn new(text: impl AsRef<str>, style: Style) -> Self {
        Self { text: clean(text.as_ref()).into_owned(), style }
    }

    /// The same cell in so many columns at most.
    pub(crate) fn cut(self, width: usize) -> Self {
        Self { text: cut(&self.text, width), ..self }
    }

    pub(crate) fn plain(text: impl AsRef<str>) -> Self {
        Self::new(text, Style::new())
    }
}

impl Table {
    /// A table with these columns. Without titles it has no head.
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        let column = |&(title, align): &(&'static str, Align)| Column { title, align, width: title.width() };
        Self { columns: columns.iter().map(column).collect(), rows: Vec::new(), is_begun: false }
    }

    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        for (column, cell) in self.columns.iter_mut().zip(&cells) {
            column.width = column.width.max(cell.text.width());
        }
        self.rows.push(cells);
    }

    /// Prints the rows so far, below the head the first time. Lines are cut at the width of the terminal.
    pub(crate) fn print(&mut self, out: &mut Out, indent: usize) -> Result<()> {
        let width = out.width();
        for line in self.lines(width, indent) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    /// The lines that [`print`](Self::print) prints.
    pub(crate) fn lines(&mut self, width: Option<usize>, indent: usize) -> Vec<String> {
        let mut lines = Vec::with_capacity(self.rows.len() + 1);
        if !self.is_begun && self.columns.iter().any(|column| !column.title.is_empty()) {
            let titles: Vec<_> = self.columns.iter().map(|column| Cell::new(column.title, style::STRONG)).collect();
            lines.push(self.line(&titles, width, indent));
        }
        self.is_begun = true;
        for row in std::mem::take(&mut self.rows) {
            lines.push(self.line(&row, width, indent));
        }
        lines
    }

    fn line(&self, cells: &[Cell], width: Option<usize>, indent: usize) -> String {
        let mut line = " ".repeat(indent);
        let mut left = width.unwrap_or(usize::MAX).saturating_sub(indent);
        // Behind the last cell with something in it nothing is padded.
        let count = cells.iter().rposition(|cell| !cell.text.is_empty()).map_or(0, |last| last + 1);
        for (index, (column, cell)) in self.columns.iter().zip(cells).take(count).enumerate() {
            let padding = column.width.saturating_sub(cell.text.width());
            let (before, after) = match column.align {
                Align::Left if index + 1 == count => (0, 0),
                Align::Left => (0, padding + GAP),
                Align::Right if index + 1 == count => (padding, 0),
                Align::Right => (padding, GAP),
            };
            push_blanks(&mut line, before, &mut left);
            let text = cut(&cell.text, left);
            left -= text.width();
            let (on, off) = (cell.style.render(), cell.style.render_reset());
            let _ = write!(line, "{on}{text}{off}");
            push_blanks(&mut line, after, &mut left);
        }
        line
    }
}

fn push_blanks(line: &mut String, count: usize, left: &mut usize) {
    let count = count.min(*left);
    line.extend(std::iter::repeat_n(' ', count));
    *left -= count;
}

/// The text in so many columns; where it is longer, it ends in an ellipsis.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut left = width.saturating_sub(1);
    for letter in text.chars() {
        let wide = letter.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        cut.push(letter);
    }
    if width > 0 {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[("ID", Align::Right), ("WHAT", Align::Left), ("", Align::Left)]);
        table.row(["7", "漢字", "x"].into_iter().map(Cell::plain).collect());
        table.row(["100", "b", ""].into_iter().map(Cell::plain).collect());
        table
    }

    fn plain(lines: &[String]) -> Vec<String> {
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    #[test]
    fn columns_are_aligned_by_the_width_that_is_seen() {
        assert_eq!(plain(&table().lines(None, 1)), ["  ID  WHAT", "   7  漢字  x", " 100  b"]);
    }

    #[test]
    fn lines_are_cut_at_the_width_of_the_terminal() {
        assert_eq!(plain(&table().lines(Some(8), 0)), [" ID  WH…", "  7  漢…", "100  b"]);
        assert_eq!(plain(&table().lines(Some(0), 0)), ["", "", ""]);
    }

    #[test]
    fn later_rows_come_without_another_head() {
        let mut table = table();
        assert_eq!(table.lines(None, 0).len(), 3);
        table.row(["7", "a\u{1b}b", ""].into_iter().map(Cell::plain).collect());
        assert_eq!(plain(&table.lines(None, 0)), ["  7  a\\u{1b}b"]);
    }

    #[test]
    fn text_is_cut_between_letters() {
        for (width, expected) in [(5, "a漢字"), (4, "a漢…"), (3, "a…"), (1, "…"), (0, "")] {
            assert_eq!(cut("a漢字", width), expected);
        }
    }
}
