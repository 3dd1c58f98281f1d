//! On a terminal: color, lines that fit, and a watch that is drawn over itself.

use insta::assert_snapshot;
use magnetar::JobStatus;

use crate::support::{
    Folder,
    jobs::{self, Store},
    normal,
    terminal::Terminal,
};

fn visible(printed: &str) -> String {
    normal(printed).replace('\u{1b}', "ESC").replace("\r\n", "\n")
}

#[test]
fn lines_fit_the_terminal_and_are_colored() {
    let folder = Folder::new();
    let _store = jobs::nightly(&folder.at("jobs.db"));
    let (printed, code) = Terminal::start(folder.command("list jobs.db"), 60, 20).rest();
    assert_eq!(code, Some(0));
    assert_snapshot!("list", visible(&printed));
}

#[test]
fn color_is_left_out_where_it_is_not_wanted() {
    let folder = Folder::new();
    let _store = jobs::nightly(&folder.at("jobs.db"));
    let mut command = folder.command("status jobs.db");
    command.env("NO_COLOR", "1");
    assert!(!Terminal::start(command, 80, 24).rest().0.contains('\u{1b}'));
    assert!(!Terminal::start(folder.command("status jobs.db --color never"), 80, 24).rest().0.contains('\u{1b}'));
    assert!(Terminal::start(folder.command("status jobs.db"), 80, 24).rest().0.contains('\u{1b}'));
}

#[test]
fn watch_is_drawn_over_itself_also_without_color() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("few", 1));
    let mut command = folder.command("watch jobs.db --interval 50ms");
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::start(command, 80, 24);
    let first = terminal.until("all         1\r\n");
    let lines = first.matches('\n').count();
    store.mark(1, JobStatus::Done);
    let (rest, code) = terminal.rest();
    let last = rest.rsplit("\u{1b}[J").next().unwrap();
    assert!(rest.contains(&format!("\u{1b}[{lines}A\u{1b}[J")), "{rest:?}");
    assert_eq!(code, Some(0));
    assert_snapshot!("watch_end", visible(last));
}

#[test]
fn watch_does_not_grow_beyond_a_small_terminal() {
    let folder = Folder::new();
    drop(jobs::stuck(&folder.at("jobs.db")));
    let (printed, _) = Terminal::start(folder.command("watch jobs.db"), 80, 6).rest();
    assert_eq!(printed.matches('\n').count(), 5, "{printed:?}");
}

#[test]
fn terminal_that_cannot_be_drawn_on_gets_lines() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("few", 1));
    store.mark(1, JobStatus::Done);
    let mut command = folder.command("watch jobs.db");
    command.env("TERM", "dumb");
    let (printed, _) = Terminal::start(command, 80, 24).rest();
    assert_eq!(visible(&printed), "YYYY-MM-DDThh:mm:ss.mmmZ  done: 1 of 1 done (100.0 %)\n");
}
