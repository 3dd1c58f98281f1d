//! Random scripts, cut off at random moments.

use anyhow::{Context, Result};
use fastrand::Rng;
use magnetar_testkit::folder::{Fault, Faults, Flaw, Moment};

use super::{
    Subject,
    history::{Act, History},
};
use crate::rig::{Counts, Rig};

/// Acts of a script.
const ACTS: usize = 16;
/// Images of it that are looked at.
const IMAGES: usize = 1500;
/// One act in so many meets operations that fail.
const TROUBLE_ONE_IN: u32 = 6;
/// One image in so many is worked on and cut off again.
const AGAIN_ONE_IN: u32 = 100;
/// Acts of such a one, and its images.
const AGAIN: (usize, usize) = (4, 40);
/// The last operation of the folder that may be one that fails.
const TROUBLE_OPS: u64 = 60;

/// A rig that cuts a store of files off at random moments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files<S> {
    subject: S,
    /// What is wrong, for a control.
    pub flaw: Option<Flaw>,
}

impl<S: Subject> Files<S> {
    /// A rig of a store, without a flaw.
    pub fn new(subject: S) -> Self {
        Self { subject, flaw: None }
    }

    /// A control.
    pub fn with_flaw(subject: S, flaw: Flaw) -> Self {
        Self { subject, flaw: Some(flaw) }
    }
}

impl<S: Subject> Rig for Files<S> {
    fn name(&self) -> &'static str {
        S::RIG
    }

    fn round(&self, seed: u64) -> Result<Counts> {
        let mut round =
            Round { subject: &self.subject, flaw: self.flaw, random: Rng::with_seed(seed), counts: Counts::default() };
        round.cut_off(History::new(&self.subject, self.flaw), (ACTS, IMAGES), Again::Yes)?;
        Ok(round.counts)
    }
}

/// Whether what a cut has left is worked on and cut off again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    Yes,
    No,
}

struct Round<'s, S> {
    subject: &'s S,
    flaw: Option<Flaw>,
    random: Rng,
    counts: Counts,
}

impl<S: Subject> Round<'_, S> {
    fn cut_off(&mut self, mut history: History<'_, S>, (acts, images): (usize, usize), again: Again) -> Result<()> {
        history.record();
        for _ in 0..acts {
            self.act(&mut history)?;
        }
        let moments = history.folder().take_moments();
        self.counts.add("moments", moments.len() as u64);
        for _ in 0..images {
            let at = self.random.usize(0..moments.len());
            let Some(moment) = moments.get(at) else { continue };
            self.cut(&history, moment, again).with_context(|| format!("cut at moment {at} of {}", moments.len()))?;
        }
        Ok(())
    }

    fn act(&mut self, history: &mut History<'_, S>) -> Result<()> {
        let op = self.random.usize(0..=S::OPS);
        if op == S::OPS {
            return history.act(Act::Reopen);
        }
        if self.random.u32(..TROUBLE_ONE_IN) > 0 {
            return history.act(Act::Op(op));
        }
        self.counts.add("faults", 1);
        let faults = self.faults();
        history.act_in_trouble(op, faults).with_context(|| format!("{faults:?}"))
    }

    fn faults(&mut self) -> Faults {
        let faults = [Fault::Device, Fault::Full, Fault::ReadOnly, Fault::Denied];
        let fault = faults.get(self.random.usize(0..faults.len())).copied().unwrap_or(Fault::Device);
        let op = self.random.u64(0..TROUBLE_OPS);
        match self.random.u32(0..3) {
            0 => Faults::once(op, fault),
            1 => Faults::from(op, fault),
            _ => Faults::full_after(self.random.u64(0..3000)),
        }
    }

    fn cut(&mut self, history: &History<'_, S>, moment: &Moment, again: Again) -> Result<()> {
        // One in eight: the process is killed, and the power stays.
        let is_killed = self.random.u32(..8) == 0;
        let random = &mut self.random;
        let folder = if is_killed { moment.kept() } else { moment.image(&mut |ways| random.usize(0..ways)) };
        self.counts.add("images", 1);
        let sight = history.check(&folder, history.allowed(moment))?;
        if again == Again::Yes && self.random.u32(..AGAIN_ONE_IN) == 0 {
            self.counts.add("second cuts", 1);
            let folder = folder.with_flaw(self.flaw);
            // What a process that was killed has left is seen, and may still be lost with the power.
            let mut sights = if is_killed { history.allowed(moment).to_vec() } else { Vec::new() };
            sights.push(sight);
            let next = History::of(self.subject, folder, sights, history.number());
            self.cut_off(next, AGAIN, Again::No).context("cut off again")?;
        }
        Ok(())
    }
}
