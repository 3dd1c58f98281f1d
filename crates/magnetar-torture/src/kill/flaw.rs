//! The flaws of the controls: what a store or a worker would do that does not keep the promises. They are here alone; the
//! product has no switch for them.

use std::sync::Arc;

use anyhow::{Context, Result};
use async_trait::async_trait;
use magnetar_core::{Answer, Capabilities, Expect, Fence, Group, JobState, JobStatus, JobStore, Op, Query, Rejection, Reply};

/// What is wrong with a worker or its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// The store takes a completion from whoever sends it.
    NoFence,
    /// The store takes a completion from whoever has the name of the one that holds the chunk, as `hostname-pid`.
    OwnerNameFence,
    /// The worker says that a completion was accepted before the store was asked.
    AcknowledgesEarly,
    /// The worker forgets some effects.
    EffectNotLogged,
}

const FLAWS: [(&str, Flaw); 5] = [
    ("none", Flaw::None),
    ("no-fence", Flaw::NoFence),
    ("owner-name-fence", Flaw::OwnerNameFence),
    ("acknowledges-early", Flaw::AcknowledgesEarly),
    ("effect-not-logged", Flaw::EffectNotLogged),
];

impl Flaw {
    pub(crate) fn name(self) -> &'static str {
        FLAWS.iter().find(|(_, flaw)| *flaw == self).map_or("", |(name, _)| name)
    }

    pub(crate) fn by_name(name: &str) -> Result<Self> {
        FLAWS.iter().find(|(known, _)| *known == name).map(|(_, flaw)| *flaw).context("there is no such flaw")
    }

    /// The store with this flaw, for a worker of this name.
    pub(crate) fn of(self, store: Arc<dyn JobStore>, owner: &str) -> Arc<dyn JobStore> {
        match self {
            Self::NoFence => Arc::new(Unfenced { store, owner: None }),
            Self::OwnerNameFence => Arc::new(Unfenced { store, owner: Some(owner.to_owned()) }),
            Self::None | Self::AcknowledgesEarly | Self::EffectNotLogged => store,
        }
    }
}

/// Where it is kept who holds what.
const OWNERS: &str = "owners";

/// A store whose completions look at no token: at nothing at all, or at the name of who holds the chunk.
struct Unfenced {
    store: Arc<dyn JobStore>,
    owner: Option<String>,
}

impl Unfenced {
    /// Notes under its owner's name what was handed out.
    async fn own(&self, replies: &[Reply]) -> magnetar_core::Result<()> {
        let Some(owner) = &self.owner else { return Ok(()) };
        for reply in replies {
            let Reply::Claimed(chunks) = reply else { continue };
            for chunk in chunks {
                self.store.put_record(OWNERS, &key(chunk), Some(owner.clone().into_bytes()), Expect::Any).await?;
            }
        }
        Ok(())
    }

    /// Does for a stale fence what a store would do that cannot tell it from a good one.
    async fn accept(&self, fence: Fence, mut group: Group) -> magnetar_core::Result<Option<Vec<Reply>>> {
        let Some(chunk) = self.store.get_chunk(fence.job(), fence.chunk()).await? else { return Ok(None) };
        if let Some(owner) = &self.owner {
            let holder = self.store.get_record(OWNERS, &key(&chunk)).await?;
            if holder.is_none_or(|holder| holder.value != owner.as_bytes()) {
                return Ok(None);
            }
        }
        let Some(Op::Complete { fence: claim, .. }) = group.first_mut() else { return Ok(None) };
        match chunk.fence() {
            Some(now) => *claim = now,
            // What is done already is done once more, unless a row must be held to be written.
            None if self.owner.is_none() && chunk.status == JobStatus::Done => {
                return Ok(Some(group.iter().map(|_| Reply::Claimed(Vec::new())).collect()));
            }
            None => return Ok(None),
        }
        Ok(self.store.apply(group).await.ok())
    }
}

fn key(chunk: &JobState) -> Vec<u8> {
    format!("{}/{}", chunk.job_id, chunk.chunk).into_bytes()
}

#[async_trait]
impl JobStore for Unfenced {
    async fn submit(&self, groups: Vec<Group>) -> magnetar_core::Result<Vec<Result<Vec<Reply>, Rejection>>> {
        let mut outcomes = self.store.submit(groups.clone()).await?;
        for (outcome, group) in outcomes.iter_mut().zip(groups) {
            if let Err(Rejection::FenceLost { fence }) = outcome
                && let Some(replies) = self.accept(*fence, group).await?
            {
                *outcome = Ok(replies);
            }
            if let Ok(replies) = outcome {
                self.own(replies).await?;
            }
        }
        Ok(outcomes)
    }

    async fn read(&self, query: Query) -> magnetar_core::Result<Answer> {
        self.store.read(query).await
    }

    async fn watch(&self, seen: u64) -> magnetar_core::Result<u64> {
        self.store.watch(seen).await
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn close(&self) -> magnetar_core::Result<()> {
        self.store.close().await
    }
}
