//! Leaving out what a failure does not need. Proptest shrinks numbers well, but tries each step only once.

use super::step::{Ask, Step};

/// The fewest steps found that still fail, and how they do. `fails` takes steps anew and says how they fail, if they do.
pub(super) fn shrink(mut steps: Vec<Step>, mut tries: u32, fails: impl Fn(&[Step]) -> Option<String>) -> (Vec<Step>, String) {
    let mut failure = fails(&steps).unwrap_or_else(|| "it failed once and does not fail again".to_owned());
    let mut place = 0;
    let mut failed_in_a_row = 0;
    while tries > 0 && failed_in_a_row <= pieces(&steps) {
        let fewer = without(&steps, place);
        place = if fewer.is_some() { place } else { 0 };
        let Some(fewer) = fewer.or_else(|| without(&steps, 0)) else {
            break;
        };
        tries -= 1;
        if let Some(how) = fails(&fewer) {
            (steps, failure) = (fewer, how);
            failed_in_a_row = 0;
        } else {
            place += 1;
            failed_in_a_row += 1;
        }
    }
    (steps, failure)
}

/// How many pieces can be left out.
fn pieces(steps: &[Step]) -> usize {
    let mut count = 0;
    while without(steps, count).is_some() {
        count += 1;
    }
    count
}

/// The steps without the piece at this place: first whole steps are counted, then groups, ops, and chunks of an insert.
fn without(steps: &[Step], place: usize) -> Option<Vec<Step>> {
    let mut left = place;
    let mut steps = steps.to_vec();
    if remove_at(&mut steps, &mut left) {
        return Some(steps);
    }
    let mut submits = steps.iter_mut().filter_map(|step| match step {
        Step::Submit { groups, .. } => Some(groups),
        _ => None,
    });
    let is_removed = submits.any(|groups| {
        (groups.len() > 1 && remove_at(groups, &mut left))
            || groups.iter_mut().any(|group| group.len() > 1 && remove_at(group, &mut left))
            || groups.iter_mut().flatten().any(|ask| match ask {
                Ask::Insert { chunks, .. } => remove_at(chunks, &mut left),
                _ => false,
            })
    });
    is_removed.then_some(steps)
}

/// Removes the item at `left`, or counts past the items.
fn remove_at<T>(items: &mut Vec<T>, left: &mut usize) -> bool {
    if *left < items.len() {
        items.remove(*left);
        return true;
    }
    *left -= items.len();
    false
}
