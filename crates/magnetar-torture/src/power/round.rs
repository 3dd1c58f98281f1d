//! A round: a store is made, worked on and cut off at random moments.

use std::{rc::Rc, sync::Arc};

use anyhow::{Context, Result};
use fastrand::Rng;
use magnetar_core::Clock;

use super::{
    check::{Depth, check},
    history::{History, State},
    player::{Image, Player, Style},
};
use crate::{
    rig::Counts,
    site::Site,
    workload::{HandClock, Known, Script, Sight},
};

/// Turns of a script.
const TURNS: usize = 40;
/// Cuts of a history.
const CUTS: usize = 120;
/// Images of a cut.
const IMAGES: usize = 4;
/// Cuts of a store that is being made.
const BIRTH_CUTS: usize = 12;
/// One image in so many is worked on and cut off again.
const AGAIN_ONE_IN: u32 = 60;
/// Turns of such a store, and its cuts.
const AGAIN: (usize, usize) = (3, 6);
/// One image in so many is looked at as thoroughly as can be.
const WHOLE_ONE_IN: u32 = 12;

/// An engine, as far as a round is concerned.
pub(super) trait Engine {
    /// Makes a store, and returns what was recorded of it and the files that it is in.
    fn create(&self, clock: &Arc<HandClock>) -> Result<Birth>;

    /// Checks what a cut has left of a store that was being made.
    fn check_birth(&self, image: &Image, names: &[String], clock: &Arc<HandClock>) -> Result<()>;

    /// Does so many turns of a script on a store in these files, from a state on.
    fn record(&self, files: &Image, names: &[String], from: &State, script: &mut Script, turns: usize) -> Result<History>;

    /// Puts an image where it can be opened.
    fn lay(&self, image: &Image, names: &[String]) -> Result<()>;

    /// Where it was put.
    fn site(&self) -> &dyn Site;

    /// Whether a power cut may undo a claim that was acknowledged.
    fn may_undo_claims(&self) -> bool;
}

/// A store that was made.
pub(super) struct Birth {
    pub(super) history: History,
    /// The files of the store, with their names.
    pub(super) files: Image,
    pub(super) names: Vec<String>,
}

/// Plays a round.
///
/// # Errors
/// What was promised and did not hold.
pub(super) fn play(engine: &dyn Engine, seed: u64) -> Result<Counts> {
    let mut round = Round { engine, random: Rng::with_seed(seed), counts: Counts::default() };
    let clock = Arc::new(HandClock::default());
    let birth = engine.create(&clock).context("while a store is made")?;
    round.cut_birth(&birth.history, &clock)?;
    let nothing = Sight { jobs: Vec::new(), records: Vec::new() };
    let from = State { deeds: 0, now: clock.now(), sight: Rc::new(nothing), known: Rc::new(Known::default()), is_claim: false };
    let mut script = Script::new(round.random.u64(..));
    let history = engine.record(&birth.files, &birth.names, &from, &mut script, TURNS)?;
    round.counts.add("histories", 1);
    round.cut(&history, CUTS, Again::Yes)?;
    Ok(round.counts)
}

/// Whether what a cut has left is worked on and cut off again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    Yes,
    No,
}

struct Round<'e> {
    engine: &'e dyn Engine,
    random: Rng,
    counts: Counts,
}

impl Round<'_> {
    fn cuts(&mut self, history: &History, count: usize) -> Vec<usize> {
        let mut cuts: Vec<usize> = (0..count).map(|_| self.random.usize(..=history.deeds.len())).collect();
        cuts.sort_unstable();
        cuts
    }

    fn one_in(&mut self, count: u32) -> bool {
        self.random.u32(..count) == 0
    }

    fn cut_birth(&mut self, history: &History, clock: &Arc<HandClock>) -> Result<()> {
        let mut player = Player::new(history);
        for cut in self.cuts(history, BIRTH_CUTS) {
            player.advance(cut);
            let style = Style::draw(&mut self.random);
            let image = player.image(style, &mut self.random);
            let checked = self.engine.check_birth(&image, &history.names, clock);
            checked.with_context(|| format!("cut at deed {cut} of {} of a new store ({style:?})", history.deeds.len()))?;
            self.counts.add("images", 1);
        }
        Ok(())
    }

    fn cut(&mut self, history: &History, cuts: usize, again: Again) -> Result<()> {
        let mut player = Player::new(history);
        for cut in self.cuts(history, cuts) {
            player.advance(cut);
            for _ in 0..IMAGES {
                let style = Style::draw(&mut self.random);
                let image = player.image(style, &mut self.random);
                let checked = self.image(history, cut, &image, again);
                checked.with_context(|| format!("cut at deed {cut} of {} ({style:?})", history.deeds.len()))?;
            }
        }
        Ok(())
    }

    fn image(&mut self, history: &History, cut: usize, image: &Image, again: Again) -> Result<()> {
        let allowed = history.allowed(cut, self.engine.may_undo_claims()).context("every cut has a state before it")?;
        self.engine.lay(image, &history.names)?;
        let depth = if self.one_in(WHOLE_ONE_IN) { Depth::Whole } else { Depth::Usual };
        let found = check(self.engine.site(), &allowed, depth)?;
        self.counts.add("images", 1);
        if again == Again::Yes && self.one_in(AGAIN_ONE_IN) {
            let (turns, cuts) = AGAIN;
            let mut script = Script::new(self.random.u64(..));
            let history = self.engine.record(image, &history.names, &found, &mut script, turns)?;
            self.cut(&history, cuts, Again::No).context("cut off again")?;
            self.counts.add("second cuts", 1);
        }
        Ok(())
    }
}
