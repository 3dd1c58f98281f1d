//! Every crash state of every script of a few operations.

use anyhow::{Context, Result};
use magnetar_testkit::folder::{Flaw, every_choice};

use super::{
    Subject,
    history::{Act, History},
};
use crate::rig::Counts;

/// Plays every script of up to so many operations, and checks everything that a power cut may leave of its last operation: what it may leave of
/// those before is checked by the shorter scripts.
///
/// # Errors
/// The first crash state in which a promise did not hold.
pub fn every_cut<S: Subject>(subject: &S, flaw: Option<Flaw>, ops_max: u32) -> Result<Counts> {
    let mut counts = Counts::default();
    let acts: Vec<Act> = (0..S::OPS).map(Act::Op).chain([Act::Reopen]).collect();
    for length in 1..=ops_max {
        for number in 0..acts.len().pow(length) {
            let script = script(&acts, number, length);
            let images = cut_last(subject, flaw, &script).with_context(|| format!("script {script:?}"))?;
            counts.add("images", images);
            counts.add("scripts", 1);
        }
    }
    Ok(counts)
}

/// The acts of a script, by the digits of its number.
fn script(acts: &[Act], number: usize, length: u32) -> Vec<Act> {
    let digit = |place| number / acts.len().pow(place) % acts.len();
    (0..length).filter_map(|place| acts.get(digit(place)).copied()).collect()
}

fn cut_last<S: Subject>(subject: &S, flaw: Option<Flaw>, script: &[Act]) -> Result<u64> {
    let Some((last, before)) = script.split_last() else { return Ok(0) };
    let mut history = History::new(subject, flaw);
    before.iter().try_for_each(|act| history.act(*act))?;
    history.record();
    history.act(*last)?;
    let mut images = 0;
    for (at, moment) in history.folder().take_moments().iter().enumerate() {
        let mut failure = None;
        every_choice(|choose| {
            images += 1;
            if failure.is_none() {
                failure = history.check(&moment.image(choose), history.allowed(moment)).err();
            }
        });
        if let Some(error) = failure {
            return Err(error.context(format!("cut at moment {at} of the last operation")));
        }
    }
    Ok(images)
}
