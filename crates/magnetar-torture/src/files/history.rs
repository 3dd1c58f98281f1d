//! A store at work: what it has shown, what was acknowledged, and every moment of its folder.

use anyhow::{Context, Result, ensure};
use magnetar_testkit::{
    SimFolder,
    folder::{Faults, Flaw, Moment},
};

use super::Subject;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// An operation of the subject's.
    Op(usize),
    /// The store is closed, and opened when it is needed again.
    Reopen,
}

/// A store at work.
pub(super) struct History<'s, S: Subject> {
    subject: &'s S,
    folder: SimFolder,
    handle: Option<S::Handle>,
    number: u64,
    /// What was or may have been seen, in order. A power cut shows one of them, at or after the last that was acknowledged.
    sights: Vec<S::Sight>,
    acknowledged: usize,
}

impl<'s, S: Subject> History<'s, S> {
    /// A store in an empty folder.
    pub(super) fn new(subject: &'s S, flaw: Option<Flaw>) -> Self {
        Self::of(subject, SimFolder::new().with_flaw(flaw), vec![subject.nothing()], 0)
    }

    /// A store that shows the last of these, and goes on from there. A power cut may still show another of them.
    pub(super) fn of(subject: &'s S, folder: SimFolder, sights: Vec<S::Sight>, number: u64) -> Self {
        Self { subject, folder, handle: None, number, sights, acknowledged: 0 }
    }

    /// Does something that must succeed.
    pub(super) fn act(&mut self, act: Act) -> Result<()> {
        let Act::Op(op) = act else {
            self.handle = None;
            return Ok(());
        };
        self.begin(op);
        self.try_to(op).with_context(|| format!("{act:?} fails though nothing is wrong with the disk"))?;
        self.acknowledge();
        Ok(())
    }

    /// Does something while operations of the folder fail. It need not succeed; whether it has is looked up.
    pub(super) fn act_in_trouble(&mut self, op: usize, faults: Faults) -> Result<()> {
        self.begin(op);
        self.folder.set_faults(faults);
        let done = self.try_to(op);
        self.folder.set_faults(Faults::default());
        if done.is_ok() {
            self.acknowledge();
            return Ok(());
        }
        // The store may take what failed for done or not, but nothing else, and must say the same again once it is opened anew.
        self.handle = None;
        let seen = self.subject.look(&self.folder).context("after an operation that failed")?;
        let before = self.sights.len().saturating_sub(2);
        ensure!(self.sights.iter().skip(before).any(|sight| *sight == seen), "after an operation that failed it shows {seen:?}");
        self.sights.push(seen);
        Ok(())
    }

    /// What a power cut at a moment may show.
    pub(super) fn allowed(&self, moment: &Moment) -> &[S::Sight] {
        let acknowledged = usize::try_from(moment.mark()).unwrap_or(usize::MAX);
        self.sights.get(acknowledged..).unwrap_or_default()
    }

    /// Checks what is left in a folder, and returns what is seen there.
    pub(super) fn check(&self, folder: &SimFolder, allowed: &[S::Sight]) -> Result<S::Sight> {
        let seen = self.subject.look(folder)?;
        ensure!(allowed.contains(&seen), "it shows {seen:?}, which is none of {allowed:?}, of which the first was acknowledged");
        Ok(seen)
    }

    pub(super) fn record(&self) {
        self.folder.mark(self.acknowledged as u64);
        self.folder.record();
    }

    pub(super) fn folder(&self) -> &SimFolder {
        &self.folder
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The operation counts as one that may be seen from its beginning on.
    fn begin(&mut self, op: usize) {
        self.number += 1;
        let last = self.sights.last().expect("there is one from the start");
        self.sights.push(self.subject.after(last, op, self.number));
    }

    fn try_to(&mut self, op: usize) -> Result<()> {
        let handle = match self.handle.take() {
            Some(handle) => handle,
            None => self.subject.open(&self.folder)?,
        };
        let done = self.subject.act(&handle, op, self.number);
        self.handle = Some(handle);
        done
    }

    fn acknowledge(&mut self) {
        self.acknowledged = self.sights.len() - 1;
        self.folder.mark(self.acknowledged as u64);
    }
}
