//! The roster against a plain model of it, under random commands.

use std::{collections::BTreeMap, task::Waker, time::Duration};

use proptest::prelude::*;

use super::{
    queue::Step,
    roster::{Entered, Roster},
};

const REASON: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Command {
    Enter,
    /// The waiter of this rank asks what happens next.
    Ask(usize),
    Leave(usize),
    Give(usize),
    Retire(usize),
    Closed,
    Detach(usize),
    Dialled(usize),
    DialFailed(usize),
    Fill,
    Sweep,
    Close,
}

/// What a pool is, said plainly: lists, and no numbers but those that the roster gave out.
#[derive(Debug, Default)]
struct Model {
    max_size: usize,
    max_waiters: usize,
    /// The one to be lent next is at the end.
    idle: Vec<u32>,
    lent: Vec<u32>,
    closing: usize,
    /// In the order of coming.
    queue: Vec<u64>,
    /// What was given to those who have not come for it yet.
    granted: BTreeMap<u64, Result<u32, u8>>,
    /// Dials that were started, and who started them.
    dials: Vec<(u64, Option<u64>)>,
    connections: u32,
    is_closed: bool,
}

impl Model {
    /// A connection goes to who waits longest, else it is idle.
    fn offer(&mut self, connection: u32) {
        if self.queue.is_empty() {
            self.idle.push(connection);
        } else {
            self.granted.insert(self.queue.remove(0), Ok(connection));
        }
    }

    fn granted_leases(&self) -> usize {
        self.granted.values().filter(|grant| grant.is_ok()).count()
    }
}

fn pick<T: Copy>(list: &[T], rank: usize) -> Option<T> {
    list.get(rank % list.len().max(1)).copied()
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        10 => Just(Command::Enter),
        12 => any::<usize>().prop_map(Command::Ask),
        3 => any::<usize>().prop_map(Command::Leave),
        6 => any::<usize>().prop_map(Command::Give),
        2 => any::<usize>().prop_map(Command::Retire),
        3 => Just(Command::Closed),
        1 => any::<usize>().prop_map(Command::Detach),
        6 => any::<usize>().prop_map(Command::Dialled),
        3 => any::<usize>().prop_map(Command::DialFailed),
        2 => Just(Command::Fill),
        1 => Just(Command::Sweep),
        1 => Just(Command::Close),
    ]
}

/// One step on both. What the roster answers is held against what the model says it must.
fn step(roster: &Roster<u32, u8>, model: &mut Model, command: Command) -> Result<(), TestCaseError> {
    match command {
        Command::Enter | Command::Ask(_) | Command::Leave(_) => borrowers(roster, model, command),
        Command::Dialled(_) | Command::DialFailed(_) | Command::Fill => dials(roster, model, command),
        _ => connections(roster, model, command),
    }
}

/// Those who come, wait and go.
fn borrowers(roster: &Roster<u32, u8>, model: &mut Model, command: Command) -> Result<(), TestCaseError> {
    let waiters: Vec<_> = model.queue.iter().chain(model.granted.keys()).copied().collect();
    match command {
        Command::Enter => match roster.enter() {
            Entered::Closed => prop_assert!(model.is_closed),
            Entered::Idle { idle, .. } => {
                prop_assert_eq!(model.idle.pop(), Some(idle.connection), "the one that was used last");
                model.lent.push(idle.connection);
            }
            Entered::Full { waiters } => {
                prop_assert!(model.idle.is_empty() && waiters == model.queue.len() && waiters >= model.max_waiters);
                let census = roster.census();
                let size = census.idle + census.active + census.dialling + census.closing;
                prop_assert_eq!(size, model.max_size, "there is no room to dial");
            }
            Entered::Queued(number) => {
                prop_assert!(model.idle.is_empty() && !model.is_closed, "nobody waits while one is idle");
                model.queue.push(number);
            }
        },
        Command::Ask(rank) => {
            let Some(number) = pick(&waiters, rank) else { return Ok(()) };
            match roster.step(number, Waker::noop()) {
                Some(Step::Lease(connection)) => {
                    prop_assert_eq!(model.granted.remove(&number), Some(Ok(connection)));
                    model.lent.push(connection);
                }
                Some(Step::Failed(error)) => prop_assert_eq!(model.granted.remove(&number), Some(Err(error))),
                Some(Step::Dial(dial)) => model.dials.push((dial, Some(number))),
                Some(Step::Closed) => {
                    prop_assert!(model.is_closed);
                    model.queue.retain(|waiter| *waiter != number);
                }
                None => prop_assert!(model.queue.contains(&number)),
            }
        }
        Command::Leave(rank) => {
            let Some(number) = pick(&waiters, rank) else { return Ok(()) };
            model.queue.retain(|waiter| *waiter != number);
            let orphan = roster.leave(number);
            prop_assert_eq!(orphan, model.granted.remove(&number).and_then(Result::ok));
            model.lent.extend(orphan);
        }
        _ => {}
    }
    Ok(())
}

/// What is lent, closed and taken out.
fn connections(roster: &Roster<u32, u8>, model: &mut Model, command: Command) -> Result<(), TestCaseError> {
    match command {
        Command::Give(rank) => {
            let Some(connection) = pick(&model.lent, rank) else { return Ok(()) };
            let given = roster.give(connection, Duration::ZERO);
            prop_assert_eq!(given.is_err(), model.is_closed);
            if given.is_ok() {
                model.lent.retain(|lent| *lent != connection);
                model.offer(connection);
            }
        }
        Command::Retire(rank) | Command::Detach(rank) => {
            let Some(connection) = pick(&model.lent, rank) else { return Ok(()) };
            model.lent.retain(|lent| *lent != connection);
            if let Command::Retire(_) = command {
                roster.retire(REASON);
                model.closing += 1;
            } else {
                roster.detached();
            }
        }
        Command::Closed if model.closing > 0 => {
            roster.closed();
            model.closing -= 1;
        }
        Command::Sweep => {
            let oldest = (!model.idle.is_empty()).then(|| model.idle.remove(0));
            let mut first = true;
            let swept = roster.sweep(|_, _| std::mem::take(&mut first).then_some(REASON));
            prop_assert_eq!(swept.first().map(|(connection, _)| *connection), oldest);
            model.closing += swept.len();
        }
        Command::Close if !model.is_closed && model.connections > 3 => {
            let closed = roster.close(REASON);
            model.is_closed = true;
            prop_assert_eq!(&closed, &model.idle);
            model.closing += model.idle.drain(..).count();
        }
        _ => {}
    }
    Ok(())
}

/// What is being made.
fn dials(roster: &Roster<u32, u8>, model: &mut Model, command: Command) -> Result<(), TestCaseError> {
    match command {
        Command::Dialled(rank) => {
            let Some(dial) = pick(&model.dials, rank) else { return Ok(()) };
            model.dials.retain(|started| *started != dial);
            model.connections += 1;
            let connection = model.connections;
            match roster.dialled(dial.0, connection, Duration::ZERO) {
                Ok(()) => model.offer(connection),
                Err(refused) => {
                    prop_assert!(model.is_closed && refused == connection);
                    model.lent.push(connection);
                }
            }
        }
        Command::DialFailed(rank) => {
            let Some(dial) = pick(&model.dials, rank) else { return Ok(()) };
            model.dials.retain(|started| *started != dial);
            roster.dial_failed(dial.0, 7);
            // Who started it is told, if it waits still.
            if let Some(starter) = dial.1.filter(|starter| model.queue.contains(starter) && !model.is_closed) {
                model.queue.retain(|waiter| *waiter != starter);
                model.granted.insert(starter, Err(7));
            }
        }
        Command::Fill => {
            if let Some(dial) = roster.fill(2) {
                prop_assert!(model.queue.is_empty() && model.idle.len() < 2 && !model.is_closed);
                model.dials.push((dial, None));
            }
        }
        _ => {}
    }
    Ok(())
}

/// What must be true between any two steps.
fn audit(roster: &Roster<u32, u8>, model: &Model) -> Result<(), TestCaseError> {
    let census = roster.census();
    prop_assert_eq!(census.idle, model.idle.len());
    prop_assert_eq!(census.active, model.lent.len() + model.granted_leases(), "what is not idle is held by somebody");
    prop_assert_eq!(census.closing, model.closing);
    let waiters = if model.is_closed { 0 } else { model.queue.len() };
    prop_assert_eq!(census.waiters, waiters);
    let size = census.idle + census.active + census.dialling + census.closing;
    prop_assert!(size <= model.max_size, "{census:?}");
    prop_assert!(census.dialling >= model.dials.len());
    prop_assert!(model.idle.is_empty() || waiters == 0, "nobody waits while one is idle");
    // Room that nobody uses while one waits: each waiter has a dial then.
    prop_assert!(size == model.max_size || census.dialling >= waiters, "{census:?}");
    let mut everywhere: Vec<_> = model.idle.iter().chain(&model.lent).copied().collect();
    everywhere.extend(model.granted.values().filter_map(|grant| grant.ok()));
    everywhere.sort_unstable();
    let count = everywhere.len();
    everywhere.dedup();
    prop_assert_eq!(everywhere.len(), count, "no connection is in two places");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn t29_roster_does_what_the_model_does(
        commands in prop::collection::vec(command(), 1..150),
        max_size in 1..5_usize,
        max_waiters in 1..6_usize,
    ) {
        let roster = Roster::new(max_size, max_waiters);
        let mut model = Model { max_size, max_waiters, ..Model::default() };
        for command in commands {
            step(&roster, &mut model, command)?;
            audit(&roster, &model)?;
        }
    }
}
