//! Why a group is refused: one rejection, or several of which each would be right.

use magnetar_core::Rejection;

/// The rejections that a store may answer a group with.
#[derive(Clone, Debug)]
pub struct Refusal {
    any_of: Vec<Rejection>,
}

impl Refusal {
    /// A refusal by any of these; nothing where there are none.
    pub(super) fn any_of(rejections: Vec<Rejection>) -> Result<(), Self> {
        if rejections.is_empty() { Ok(()) } else { Err(Self { any_of: rejections }) }
    }

    /// The rejection that comes first to mind.
    ///
    /// # Panics
    /// Never: there is always one.
    pub fn first(&self) -> &Rejection {
        &self.any_of[0]
    }

    /// Whether this rejection is one of those.
    pub fn allows(&self, actual: &Rejection) -> bool {
        self.any_of.iter().any(|expected| agree(expected, actual))
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self { any_of: vec![rejection] }
    }
}

/// Whether two rejections say the same, apart from texts, numbers of sessions, and which of several culprits is named.
fn agree(expected: &Rejection, actual: &Rejection) -> bool {
    use Rejection as R;
    match (expected, actual) {
        (R::Cycle { .. }, R::Cycle { .. }) | (R::Invalid { .. }, R::Invalid { .. }) => true,
        // The job may be one that the group makes, whose id the store picks.
        (R::ChunkNotFound { chunk, .. }, R::ChunkNotFound { chunk: chunk2, .. }) => chunk == chunk2,
        (R::NotAllowed { job, chunk, status, .. }, R::NotAllowed { job: job2, chunk: chunk2, status: status2, .. }) => {
            (job, chunk, status) == (job2, chunk2, status2)
        }
        (R::Held { job, chunk, .. }, R::Held { job: job2, chunk: chunk2, .. }) => (job, chunk) == (job2, chunk2),
        (R::Awaited { job, .. }, R::Awaited { job: job2, .. }) => job == job2,
        (R::NameTaken { name, .. }, R::NameTaken { name: name2, .. }) => name == name2,
        (R::Version { space, expected, found, .. }, R::Version { space: space2, expected: expected2, found: found2, .. }) => {
            (space, expected, found) == (space2, expected2, found2)
        }
        _ => expected == actual,
    }
}
