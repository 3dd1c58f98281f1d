//! What dies: a backend that fails from a moment on, and what stands where a killed handle was.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use magnetar_core::{
    Answer, Capabilities, Durability, Error, ErrorKind, Group, JobStore, Query, Rejection, Reply, Result, Sharing,
};
use magnetar_embedded::{Backend, Reader, Tx, View};

/// A backend that works until it is dead, and never again: a handle on it can then not even close in good order.
pub(crate) struct Mortal {
    backend: Box<dyn Backend>,
    is_dead: Arc<AtomicBool>,
}

impl Mortal {
    pub(crate) fn new(backend: Box<dyn Backend>, is_dead: Arc<AtomicBool>) -> Self {
        Self { backend, is_dead }
    }
}

struct MortalReader {
    reader: Box<dyn Reader>,
    is_dead: Arc<AtomicBool>,
}

impl Backend for Mortal {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>> {
        alive(&self.is_dead)?;
        self.backend.begin()
    }

    fn reader(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(MortalReader { reader: self.backend.reader()?, is_dead: Arc::clone(&self.is_dead) }))
    }

    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    fn lock_folder(&self) -> Option<PathBuf> {
        self.backend.lock_folder()
    }
}

impl Reader for MortalReader {
    fn view(&mut self) -> Result<Box<dyn View + '_>> {
        alive(&self.is_dead)?;
        self.reader.view()
    }
}

fn alive(is_dead: &AtomicBool) -> Result<()> {
    if is_dead.load(Ordering::SeqCst) { Err(gone()) } else { Ok(()) }
}

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
