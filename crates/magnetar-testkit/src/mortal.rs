//! A store that is not there, to stand in for one that was killed.

use async_trait::async_trait;
use magnetar_core::{
    Answer, Capabilities, Durability, Error, ErrorKind, Group, JobStore, Query, Rejection, Reply, Result, Sharing,
};

/// What stands where a killed handle was.
pub(crate) struct Nothing;

#[async_trait]
impl JobStore for Nothing {
    async fn submit(&self, _groups: Vec<Group>) -> Result<Vec<Result<Vec<Reply>, Rejection>>> {
        Err(gone())
    }

    async fn read(&self, _query: Query) -> Result<Answer> {
        Err(gone())
    }

    async fn watch(&self, _seen: u64) -> Result<u64> {
        Err(gone())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("nothing", Durability::Volatile, Sharing::OneHandle)
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Closed, "use a handle that was killed")
}
