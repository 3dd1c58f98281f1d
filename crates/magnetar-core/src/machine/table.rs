//! The table of legal steps, as data, and the page that is made from it.

use std::fmt::Write;

use super::Event;
use crate::status::JobStatus::{self, Cancelled, Done, Failed, Pending, Processing, Skipped};

/// One legal step: from a status, by an event, to one of some statuses.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Step {
    /// Where the chunk stands.
    pub from: JobStatus,
    /// What happens to it.
    pub event: Event,
    /// Where it may stand afterwards.
    pub to: &'static [JobStatus],
    /// Whether the step is refused while dependencies block the chunk.
    pub unblocked: bool,
    /// What decides, and what else the step does.
    pub note: &'static str,
}

const fn step(from: JobStatus, event: Event, to: &'static [JobStatus], note: &'static str) -> Step {
    Step { from, event, to, unblocked: matches!(from, Pending) && !matches!(event, Event::Skip | Event::Depend), note }
}

/// Every legal step of a chunk. What is not here is refused, and changes nothing.
pub const STEPS: &[Step] = &[
    step(
        Pending,
        Event::Claim,
        &[Processing],
        "a new token, a lease of the claiming session, a deadline if the chunk has a timeout",
    ),
    step(Pending, Event::Complete, &[Done], "a mark that claims and ends in one step"),
    step(Pending, Event::GiveUp, &[Failed], "a mark that claims and ends in one step"),
    step(Pending, Event::Cancel, &[Cancelled], "a mark that claims and ends in one step"),
    step(Pending, Event::Skip, &[Skipped], "a dependency ended badly and the job says `skip`"),
    step(
        Pending,
        Event::Depend,
        &[Pending],
        "it is blocked, or skipped at once where the dependency is bad already and the job says `skip`",
    ),
    step(Processing, Event::Complete, &[Done], "the fence holds"),
    step(
        Processing,
        Event::Fail,
        &[Pending, Failed],
        "one failure more; Failed when that spends the budget, else Pending after the backoff",
    ),
    step(Processing, Event::TimeOut, &[Pending, Failed], "the attempt's deadline has passed; counts as a failure"),
    step(
        Processing,
        Event::LoseLease,
        &[Pending, Failed],
        "one crash more; Failed when that spends the budget, else ready at once",
    ),
    step(Processing, Event::Release, &[Pending], "costs no budget"),
    step(Processing, Event::Park, &[Pending], "until a time, or until other chunks have ended; costs no budget"),
    step(Processing, Event::GiveUp, &[Failed], "whatever budget remains"),
    step(Processing, Event::Cancel, &[Cancelled], "a mark of the session that holds it"),
    step(Failed, Event::Redrive, &[Pending], "fresh budgets; brings back what was skipped because of it"),
    step(Skipped, Event::Redrive, &[Pending], "by hand, or because no dependency is bad any more"),
    step(Cancelled, Event::Redrive, &[Pending], "fresh budgets; brings back what was skipped because of it"),
    step(Done, Event::Reopen, &[Pending], "explicit; takes the finished descendants along"),
    step(Failed, Event::Reopen, &[Pending], "explicit, or as a descendant"),
    step(Skipped, Event::Reopen, &[Pending], "explicit, or as a descendant"),
    step(Cancelled, Event::Reopen, &[Pending], "explicit, or as a descendant"),
];

/// The page `docs/state-machine.md`.
pub fn markdown() -> String {
    let mut page = String::from(
        "# The state machine\n\n\
         Made from the table in `crates/magnetar-core/src/machine/table.rs` by\n\
         `cargo run -p magnetar-core --example state_machine > docs/state-machine.md`; a test compares the two.\n\n\
         ```mermaid\nstateDiagram-v2\n    [*] --> Pending\n",
    );
    for step in STEPS {
        for to in step.to {
            let _ = writeln!(page, "    {:?} --> {to:?}: {}", step.from, step.event);
        }
    }
    page.push_str("```\n\n| from | event | to | refused while blocked | |\n|---|---|---|---|---|\n");
    for step in STEPS {
        let to: Vec<_> = step.to.iter().map(ToString::to_string).collect();
        let blocked = if step.unblocked { "yes" } else { "" };
        let _ = writeln!(page, "| {} | {} | {} | {blocked} | {} |", step.from, step.event, to.join(", "), step.note);
    }
    page.push_str(
        "\nEvery other pair is refused with `NotAllowed` and changes nothing.\n\n\
         A chunk that has not ended is in exactly one place: *blocked* by its counters, *ready*, on a *timer*, or on *lease*.\n\
         It is blocked while a dependency has not ended, or while one ended badly, unless the job says `run`.\n",
    );
    page
}
