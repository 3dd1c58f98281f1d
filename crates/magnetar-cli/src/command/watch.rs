//! `magnetar watch`: a job looked at again and again until it has ended.

mod screen;

use std::{env, fmt::Write as _, io::Write, time::Duration};

use anyhow::{Context, Result};
use clap::Args;
use magnetar::Sharing;
use tokio::signal::unix::{SignalKind, signal};

use self::screen::Screen;
use super::status::deleted;
use crate::{
    exit::{Code, fault},
    output::{Format, Out, OutputArgs},
    overview::{self, Overview, State},
    pace::Pace,
    store::{Found, Site, Target},
    text::thousands,
    time::now,
};

/// The shortest time between two looks.
const INTERVAL_MIN: Duration = Duration::from_millis(50);

#[derive(Args, Debug)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    target: Target,
    /// Time between two looks, as in 500ms or 10s
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    interval: Duration,
    /// End with exit code 1 unless every chunk is done
    #[arg(long)]
    exit_status: bool,
    #[command(flatten)]
    output: OutputArgs,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if interval < INTERVAL_MIN { Err(format!("{text} is shorter than {INTERVAL_MIN:?}")) } else { Ok(interval) }
}

pub(crate) async fn run(args: WatchArgs) -> Result<Code> {
    let Found { site, job } = args.target.find().await?;
    // Listened for from here on, so that an interrupt is never the system's crude end.
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for an interrupt")?;
    let mut view = View::new(args.output.output);
    let mut before: Option<Overview> = None;
    loop {
        let mut overview = Overview::look(&*site.store, job.id, now()).await?.ok_or_else(|| deleted(job.id))?;
        let is_news = before.as_ref().is_none_or(|before| before.job.stats != overview.job.stats);
        overview.find_trouble(&*site.store, before).await?;
        view.show(&overview, &site, is_news)?;
        let state = overview.state();
        if state.is_end() {
            view.out.finish()?;
            return Ok(if args.exit_status && state != State::Done { Code::Failed } else { Code::Ok });
        }
        refuse_lonely(&site)?;
        before = Some(overview);
        if tokio::time::timeout(args.interval, interrupt.recv()).await.is_ok() {
            view.out.finish()?;
            return Ok(Code::Interrupted);
        }
    }
}

/// Whoever watches a store that one process holds keeps everybody else from working in it.
fn refuse_lonely(site: &Site) -> Result<()> {
    let capabilities = site.store.capabilities();
    if matches!(capabilities.sharing, Sharing::OneHost | Sharing::ManyHosts) {
        return Ok(());
    }
    Err(fault(
        Code::Unavailable,
        format!(
            "a {} store is held by one process, so no run could open it while it is watched; use `magnetar status`, or keep the job in a SQLite store",
            capabilities.backend
        ),
    ))
}

/// Where a watch is shown, and how.
struct View {
    out: Out,
    how: How,
    pace: Pace,
}

enum How {
    /// Drawn over itself.
    Screen(Screen),
    /// A line for each change.
    Lines,
    /// A JSON document a line, for each change.
    Json,
    /// A record for each change; whether the head was printed.
    Csv { has_head: bool },
}

impl View {
    fn new(format: Format) -> Self {
        let out = Out::new();
        let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        let how = match format {
            Format::Table if out.is_terminal() && !is_dumb => How::Screen(Screen::default()),
            Format::Table => How::Lines,
            Format::Json => How::Json,
            Format::Csv => How::Csv { has_head: false },
        };
        Self { out, how, pace: Pace::default() }
    }

    fn show(&mut self, overview: &Overview, site: &Site, is_news: bool) -> Result<()> {
        self.pace.note(overview.at, &overview.job.stats);
        match &mut self.how {
            How::Screen(screen) => screen.draw(&mut self.out, overview, site, &self.pace)?,
            _ if !is_news => {}
            How::Lines => writeln!(self.out, "{}", line(overview, &self.pace))?,
            How::Json => self.out.json_line(&overview::document(overview, site))?,
            How::Csv { has_head } => {
                let is_first = !std::mem::replace(has_head, true);
                self.out.csv(|csv| {
                    if is_first {
                        csv.write_record(overview::CSV_HEAD)?;
                    }
                    csv.write_record(overview::csv_row(overview))
                })?;
            }
        }
        self.out.flush()?;
        Ok(())
    }
}

/// How far a job is, on one line.
fn line(overview: &Overview, pace: &Pace) -> String {
    let stats = &overview.job.stats;
    let counts = [
        ("running", stats.processing),
        ("failed", stats.failed),
        ("skipped", stats.skipped),
        ("cancelled", stats.cancelled),
        ("held", stats.held),
    ];
    let mut line = format!(
        "{}  {}: {} of {} done ({:.1} %)",
        overview.at,
        overview.state().name(),
        thousands(stats.done),
        thousands(stats.total_chunks),
        stats.completion_percent()
    );
    for (name, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        let _ = write!(line, ", {} {name}", thousands(count));
    }
    if let Some(pace) = pace.words(stats) {
        let _ = write!(line, "; {pace}");
    }
    line
}
