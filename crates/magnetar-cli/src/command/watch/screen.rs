//! The overview drawn over itself on a terminal.

use anyhow::Result;

use crate::{
    output::Out,
    overview::{self, Overview},
    pace::Pace,
    store::Site,
};

/// Lines that a terminal is taken to have where it does not say.
const HEIGHT: usize = 24;

/// What stands on the terminal.
#[derive(Default)]
pub(super) struct Screen {
    /// Lines that were drawn, and are drawn over.
    drawn: usize,
}

impl Screen {
    pub(super) fn draw(&mut self, out: &mut Out, overview: &Overview, site: &Site, pace: &Pace) -> Result<()> {
        let (width, height) = (out.width(), out.height().unwrap_or(HEIGHT));
        let mut lines = overview::progress(overview, site, width);
        if let Some(pace) = pace.words(&overview.job.stats) {
            lines.extend([String::new(), format!("  {pace}")]);
        }
        lines.extend(overview::trouble(overview, site, width));
        // What has scrolled out cannot be drawn over; the last line is the cursor's.
        lines.truncate(height.saturating_sub(1));
        out.go_up(self.drawn)?;
        out.lines(&lines)?;
        self.drawn = lines.len();
        Ok(())
    }
}
