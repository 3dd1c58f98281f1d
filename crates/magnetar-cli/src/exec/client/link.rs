//! The socket to one supervisor process.

use std::{
    collections::{HashMap, HashSet},
    io,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream as StdUnixStream, process::CommandExt},
    },
    path::PathBuf,
    process::{Child, Command as Process},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::Pid;
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::exec::{
    SUBCOMMAND,
    command::Command,
    family,
    outcome::Outcome,
    wire::{self, Report, Request},
};

/// Requests that are written at once.
const REQUESTS_AT_ONCE: usize = 64;

/// The numbers of the supervisors that live. What else becomes a child of this process is an orphan.
#[derive(Clone, Default)]
pub(super) struct Living(Arc<Mutex<HashSet<Pid>>>);

/// One supervisor process, from its start to its end.
pub(super) struct Link {
    requests: mpsc::UnboundedSender<Vec<u8>>,
    pending: Arc<Mutex<Pending>>,
    reading: JoinHandle<()>,
}

/// What kills a command.
pub(super) struct Stopper {
    id: u64,
    requests: mpsc::UnboundedSender<Vec<u8>>,
}

/// Who waits for which command; none once the supervisor is gone.
struct Pending {
    last_id: u64,
    waiting: Option<HashMap<u64, oneshot::Sender<Outcome>>>,
}

impl Link {
    /// Starts a supervisor. Returns with it the socket to hand it files through.
    pub(super) fn start(living: &Living) -> io::Result<(Self, StdUnixStream)> {
        let (own, its) = StdUnixStream::pair()?;
        let (heirlooms, its_heirlooms) = StdUnixStream::pair()?;
        own.set_nonblocking(true)?;
        let (answers, asking) = UnixStream::from_std(own)?.into_split();
        let mut process = Process::new(own_program()?);
        process.arg0("magnetar").arg(SUBCOMMAND).stdin(OwnedFd::from(its)).stdout(OwnedFd::from(its_heirlooms));
        let child = living.spawn(&mut process)?;
        let pending = Arc::new(Mutex::new(Pending { last_id: 0, waiting: Some(HashMap::new()) }));
        let (requests, asked) = mpsc::unbounded_channel();
        tokio::spawn(write(asking, asked));
        let reading = tokio::spawn(read(answers, child, Arc::clone(&pending), living.clone()));
        Ok((Self { requests, pending, reading }, heirlooms))
    }

    /// Starts a command. Its outcome comes out of the receiver, or nothing if the supervisor is killed.
    pub(super) fn begin(&self, command: Command) -> io::Result<(Stopper, oneshot::Receiver<Outcome>)> {
        let (sender, receiver) = oneshot::channel();
        let mut pending = lock(&self.pending);
        let id = pending.last_id + 1;
        let mut message = Vec::new();
        wire::put(&mut message, &Request::Start(id, command))?;
        pending.last_id = id;
        // Where it is gone by now, the sender is dropped, which is the answer.
        if let Some(waiting) = &mut pending.waiting {
            waiting.insert(id, sender);
            let _ = self.requests.send(message);
        }
        Ok((Stopper { id, requests: self.requests.clone() }, receiver))
    }

    /// How many commands it attends to.
    pub(super) fn load(&self) -> usize {
        lock(&self.pending).waiting.as_ref().map_or(0, HashMap::len)
    }

    /// Whether the supervisor is gone.
    pub(super) fn is_broken(&self) -> bool {
        lock(&self.pending).waiting.is_none()
    }

    /// Lets the supervisor end, and waits for that.
    pub(super) async fn close(self) {
        drop(self.requests);
        // A panic of the reading task ends the process's part in this all the same.
        let _ = self.reading.await;
    }
}

impl Stopper {
    /// Kills the command.
    pub(super) fn stop(&self) {
        let mut message = Vec::new();
        if wire::put(&mut message, &Request::Stop(self.id)).is_ok() {
            let _ = self.requests.send(message);
        }
    }
}

impl Living {
    fn spawn(&self, process: &mut Process) -> io::Result<Child> {
        // Nobody may look for orphans before it is known as none.
        let mut living = lock(&self.0);
        let child = process.spawn()?;
        living.extend(pid(&child));
        Ok(child)
    }

    fn bury(&self, supervisor: Option<Pid>) {
        if let Some(supervisor) = supervisor {
            lock(&self.0).remove(&supervisor);
        }
    }

    fn orphans(&self) -> Vec<Pid> {
        let living = lock(&self.0);
        family::orphans(|pid| living.contains(&pid))
    }
}

fn pid(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()).ok()?)
}

/// Writes what is asked for, many requests at once where many came.
async fn write(mut asking: OwnedWriteHalf, mut asked: mpsc::UnboundedReceiver<Vec<u8>>) {
    let mut requests = Vec::new();
    while asked.recv_many(&mut requests, REQUESTS_AT_ONCE).await > 0 {
        let bytes = requests.drain(..).reduce(|mut all, request| {
            all.extend(request);
            all
        });
        // A supervisor that is gone is noticed by the reading side.
        let _ = asking.write_all(&bytes.unwrap_or_default()).await;
    }
}

/// Hands out outcomes until the supervisor is gone, and then sees to it that nothing is left of what it had started.
async fn read(answers: OwnedReadHalf, mut child: Child, pending: Arc<Mutex<Pending>>, living: Living) {
    let supervisor = pid(&child);
    let mut answers = BufReader::new(answers);
    let mut buffer = Vec::new();
    let read = loop {
        match wire::get(&mut answers, &mut buffer).await {
            Ok(Some(Report(id, outcome))) => {
                if let Some(sender) = lock(&pending).waiting.as_mut().and_then(|waiting| waiting.remove(&id)) {
                    // Whoever has stopped waiting does not want to know.
                    let _ = sender.send(outcome);
                }
            }
            read => break read,
        }
    };
    if read.is_err() {
        // What it says makes no sense, so what it does may not either.
        let _ = child.kill();
    }
    let _ = tokio::task::spawn_blocking(move || child.wait()).await;
    living.bury(supervisor);
    family::end(Duration::ZERO, || living.orphans()).await;
    lock(&pending).waiting = None;
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The program that this process runs, even if another stands at its path by now.
fn own_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}
