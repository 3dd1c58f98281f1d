//! What looks how. Color never says what the words do not.

use anstyle::{AnsiColor, Style};
use magnetar::JobStatus;

/// Headings and names.
pub(crate) const STRONG: Style = Style::new().bold();
/// What matters less.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// What went well.
pub(crate) const GOOD: Style = color(AnsiColor::Green);
/// What went wrong.
pub(crate) const BAD: Style = color(AnsiColor::Red);
/// What may need a look.
pub(crate) const ODD: Style = color(AnsiColor::Yellow);
/// What is going on.
pub(crate) const BUSY: Style = color(AnsiColor::Cyan);

/// The style of a status.
pub(crate) const fn of_status(status: JobStatus) -> Style {
    match status {
        JobStatus::Processing => BUSY,
        JobStatus::Done => GOOD,
        JobStatus::Failed => BAD,
        JobStatus::Skipped | JobStatus::Cancelled => ODD,
        _ => Style::new(),
    }
}

const fn color(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(anstyle::Color::Ansi(color)))
}
