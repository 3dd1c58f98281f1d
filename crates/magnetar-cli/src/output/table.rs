//! Tables for people: aligned, without lines, fitted to the terminal.

use std::{fmt::Write as _, io::Write};

use anstyle::Style;
use anyhow::Result;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Out, style};
use crate::text::clean;

/// Blanks between columns.
const GAP: usize = 2;
/// Where lines are not cut, a longer cell of an elastic column pushes the rest of its own line aside, and not that of all others.
const ELASTIC_WIDTH_MAX: usize = 60;

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
    /// To the left; where a line does not fit the terminal, it leaves half of what is left to the last column.
    Elastic,
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
        if !self.is_begun && self.columns.iter().any(|column| !column.title.is_empty()) {
            let titles: Vec<_> = self.columns.iter().map(|column| Cell::new(column.title, style::STRONG)).collect();
            self.rows.insert(0, titles);
        }
        self.is_begun = true;
        let room = width.map(|width| width.saturating_sub(indent));
        let widths = self.widths(room);
        let rows = std::mem::take(&mut self.rows);
        let blanks = " ".repeat(indent.min(width.unwrap_or(indent)));
        rows.iter().map(|row| format!("{blanks}{}", self.line(row, &widths, room))).collect()
    }

    /// The widths of the columns in so much room, or in as much as they like.
    fn widths(&self, room: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<_> = self.columns.iter().map(|column| column.width).collect();
        if let ([fixed @ .., elastic, last], [.., Column { align: Align::Elastic, .. }, _]) = (&mut *widths, &*self.columns) {
            let fixed = fixed.iter().map(|width| width + GAP).sum::<usize>() + GAP;
            let left = room.map(|room| room.saturating_sub(fixed));
            *elastic = (*elastic).min(left.map_or(ELASTIC_WIDTH_MAX, |left| left.saturating_sub(*last).max(left / 2)));
        }
        widths
    }

    fn line(&self, cells: &[Cell], widths: &[usize], room: Option<usize>) -> String {
        let mut line = String::new();
        let is_cut = room.is_some();
        let mut room = room.unwrap_or(usize::MAX);
        // Behind the last cell with something in it nothing is padded.
        let count = cells.iter().rposition(|cell| !cell.text.is_empty()).map_or(0, |last| last + 1);
        for (index, ((column, width), cell)) in self.columns.iter().zip(widths).zip(cells).take(count).enumerate() {
            let is_last = index + 1 == count;
            let text = cut(&cell.text, if is_last || !is_cut { room } else { room.min(*width) });
            let padding = width.saturating_sub(text.width());
            let (before, after) = match column.align {
                Align::Right => (padding, GAP),
                Align::Left | Align::Elastic => (0, padding + GAP),
            };
            let (before, after) = (before.min(room), if is_last { 0 } else { after });
            let text = cut(&text, room - before);
            room -= before + text.width();
            let (on, off) = (cell.style.render(), cell.style.render_reset());
            // The formatter pads by no more than 65,535.
            let _ = write!(line, "{}{on}{text}{off}", " ".repeat(before));
            if room <= after {
                break;
            }
            line.push_str(&" ".repeat(after));
            room -= after;
        }
        line
    }
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
        assert_eq!(plain(&table().lines(Some(5), 0)), [" ID", "  7", "100"]);
        assert_eq!(plain(&table().lines(Some(0), 0)), ["", "", ""]);
    }

    #[test]
    fn elastic_column_shrinks_so_that_the_last_one_is_seen() {
        let lines = |width| {
            let mut table = Table::new(&[("ID", Align::Right), ("WHAT", Align::Elastic), ("ERROR", Align::Left)]);
            table.row(["7", "something long", "an error"].into_iter().map(Cell::plain).collect());
            plain(&table.lines(width, 0)).pop().unwrap()
        };
        assert_eq!(lines(None), " 7  something long  an error");
        assert_eq!(lines(Some(28)), " 7  something long  an error");
        assert_eq!(lines(Some(26)), " 7  something l…  an error");
        assert_eq!(lines(Some(20)), " 7  someth…  an err…");
        assert_eq!(lines(Some(4)), " 7");
    }

    #[test]
    fn huge_cell_is_whole_where_lines_are_not_cut_and_widens_no_other_line() {
        let mut table = Table::new(&[("WHAT", Align::Elastic), ("ERROR", Align::Left)]);
        table.row([&*"x".repeat(100_000), "no"].into_iter().map(Cell::plain).collect());
        table.row(["short", "no"].into_iter().map(Cell::plain).collect());
        let widths: Vec<_> = plain(&table.lines(None, 0)).iter().map(|line| line.width()).collect();
        assert_eq!(widths, [67, 100_004, 64]);
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
