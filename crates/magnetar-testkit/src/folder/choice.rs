//! Choices: drawn by somebody's random numbers, or every combination of them.

/// Takes one of so many ways, by its number from 0.
pub type Choose<'c> = &'c mut dyn FnMut(usize) -> usize;

/// Visits with every combination of choices that the visit asks for. What it asks may depend on the answers before.
pub fn every_choice(mut visit: impl FnMut(Choose<'_>)) {
    let mut taken: Vec<(usize, usize)> = Vec::new();
    loop {
        let mut at = 0;
        visit(&mut |ways| {
            if at == taken.len() {
                taken.push((0, ways));
            }
            at += 1;
            taken.get(at - 1).map_or(0, |(way, _)| *way)
        });
        // The last choice that has another way takes it, and all after it are made anew.
        while let Some((way, ways)) = taken.pop() {
            if way + 1 < ways {
                taken.push((way + 1, ways));
                break;
            }
        }
        if taken.is_empty() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_is_visited_once() {
        let mut seen = Vec::new();
        every_choice(|choose| {
            let first = choose(2);
            seen.push(if first == 0 { vec![first] } else { vec![first, choose(3), choose(1)] });
        });
        assert_eq!(seen, [vec![0], vec![1, 0, 0], vec![1, 1, 0], vec![1, 2, 0]]);
        let mut visits = 0;
        every_choice(|_| visits += 1);
        assert_eq!(visits, 1);
    }
}
