//! The chunks of a manifest held against each other: ids, dependencies and cycles.

use std::{collections::HashMap, slice};

use super::{ManifestError, Problem};
use crate::{chunk::NewChunk, id::ChunkId};

/// Refuses an id that stands twice, a dependency that is not there, and a cycle.
pub(super) fn check(chunks: &[NewChunk], line_of: &dyn Fn(usize) -> Option<usize>) -> Result<(), ManifestError> {
    let graph = Graph { chunks, line_of, places: places(chunks, line_of)? };
    let mut marks = vec![Mark::Unseen; chunks.len()];
    (0..chunks.len()).try_for_each(|root| graph.walk(root, &mut marks))
}

fn places(chunks: &[NewChunk], line_of: &dyn Fn(usize) -> Option<usize>) -> Result<HashMap<ChunkId, usize>, ManifestError> {
    let mut places = HashMap::with_capacity(chunks.len());
    for (place, chunk) in chunks.iter().enumerate() {
        let Some(id) = chunk.id else { continue };
        if let Some(first) = places.insert(id, place) {
            let problem = Problem::DuplicateId { first_line: line_of(first) };
            return Err(ManifestError::from(problem).of_chunk(Some(id)).on_line(line_of(place)));
        }
    }
    Ok(places)
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Unseen,
    /// On the path that is being walked.
    Ahead,
    /// All that it depends on, however indirectly, is in order.
    Cleared,
}

struct Graph<'m> {
    chunks: &'m [NewChunk],
    line_of: &'m dyn Fn(usize) -> Option<usize>,
    places: HashMap<ChunkId, usize>,
}

/// A chunk on the path, and those of its dependencies that have not been walked.
struct Step<'m> {
    place: usize,
    rest: slice::Iter<'m, ChunkId>,
}

impl<'m> Graph<'m> {
    /// Walks down from a chunk, depth first and with a stack of its own: a chain may be a million chunks long.
    fn walk(&self, root: usize, marks: &mut [Mark]) -> Result<(), ManifestError> {
        let mut path = Vec::new();
        path.extend(self.enter(root, marks));
        while let Some(step) = path.last_mut() {
            let Some(on) = step.rest.next() else {
                mark(marks, step.place, Mark::Cleared);
                path.pop();
                continue;
            };
            let Some(place) = self.places.get(on).copied() else {
                return Err(self.error(step.place, Problem::UnknownDependency { on: *on }));
            };
            if marks.get(place) == Some(&Mark::Ahead) {
                return Err(self.cycle(&path, place));
            }
            path.extend(self.enter(place, marks));
        }
        Ok(())
    }

    /// The step onto a chunk, unless it is cleared already.
    fn enter(&self, place: usize, marks: &mut [Mark]) -> Option<Step<'m>> {
        if marks.get(place) == Some(&Mark::Cleared) {
            return None;
        }
        mark(marks, place, Mark::Ahead);
        self.chunks.get(place).map(|chunk| Step { place, rest: chunk.depends_on.iter() })
    }

    /// The error about the cycle that the path closes at this place.
    fn cycle(&self, path: &[Step<'_>], place: usize) -> ManifestError {
        let mut circle: Vec<_> = path.iter().map(|step| step.place).skip_while(|on_path| *on_path != place).collect();
        let id_of = |place: &usize| self.chunks.get(*place).and_then(|chunk| chunk.id);
        let lowest = circle.iter().enumerate().min_by_key(|(_, place)| id_of(place)).map_or(0, |(index, _)| index);
        circle.rotate_left(lowest);
        let first = circle.first().copied().unwrap_or(place);
        self.error(first, Problem::Cycle { chunks: circle.iter().filter_map(id_of).collect() })
    }

    fn error(&self, place: usize, problem: Problem) -> ManifestError {
        let id = self.chunks.get(place).and_then(|chunk| chunk.id);
        ManifestError::from(problem).of_chunk(id).on_line((self.line_of)(place))
    }
}

fn mark(marks: &mut [Mark], place: usize, mark: Mark) {
    if let Some(slot) = marks.get_mut(place) {
        *slot = mark;
    }
}
