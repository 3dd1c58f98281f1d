//! The supervisor: the process that starts commands, and ends them when `magnetar run` is gone.

mod attempt;
mod deaths;
mod output;
mod programs;

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    os::{fd::AsFd, unix::net::UnixStream as StdUnixStream},
    rc::Rc,
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    signal::unix::{SignalKind, signal},
    sync::{Notify, mpsc},
    task::LocalSet,
};

use self::{deaths::Deaths, programs::Programs};
use super::{
    family,
    wire::{self, Report, Request},
};
use crate::exit::Code;

/// How long a command that is asked to end may take before it is killed.
const KILL_GRACE: Duration = Duration::from_secs(2);

/// Reports that are written at once.
const REPORTS_AT_ONCE: usize = 64;

/// Does what `magnetar run` says on standard input, a socket, until that is closed; then ends all that was started.
///
/// Standard output is another socket. Nothing is read from it or written to it: it holds duplicates of lock files, in flight,
/// which count as open until this process ends.
pub(crate) fn run() -> Result<Code> {
    // A terminal's Ctrl-C is for `magnetar run` alone. Where this is a group's leader it is no terminal's process already.
    let _ = rustix::process::setsid();
    name_process();
    family::adopt().context("become the parent of orphans")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve())?;
    Ok(Code::Ok)
}

/// Gives this process the name of the program: it was started by way of a path that says nothing.
fn name_process() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_name(c"magnetar");
}

/// What all parts share.
struct Shared {
    deaths: Rc<Deaths>,
    /// What stops each command that runs.
    stops: RefCell<HashMap<u64, Rc<Notify>>>,
    programs: RefCell<Programs>,
    /// Where what is left of an output is read into.
    buffer: RefCell<Vec<u8>>,
    /// What tells this supervisor's descendants from all others: see `attempt::marker`.
    name: String,
    reports: mpsc::UnboundedSender<Report>,
    /// Notified when a command has ended.
    ended: Notify,
}

async fn serve() -> Result<()> {
    let socket = StdUnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.set_nonblocking(true).context("standard input is no socket: `magnetar run` starts this by itself")?;
    let (requests, answers) = UnixStream::from_std(socket)?.into_split();
    // Ended by the end of the socket alone. Ignoring these would be inherited by commands, handling them is not.
    let deaf = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let (reports, reported) = mpsc::unbounded_channel();
    let shared = Rc::new(Shared {
        deaths: Deaths::watch()?,
        stops: RefCell::default(),
        programs: RefCell::default(),
        buffer: RefCell::default(),
        name: attempt::name(),
        reports,
        ended: Notify::new(),
    });
    tokio::task::spawn_local(write(answers, reported));
    let read = read(requests, &shared).await;
    shared.stops.borrow().values().for_each(|stop| stop.notify_one());
    while !shared.stops.borrow().is_empty() {
        shared.ended.notified().await;
    }
    family::end(KILL_GRACE, || family::orphans(|_| false)).await;
    drop(deaf);
    read
}

/// Starts and stops commands until nobody is there to ask for it.
async fn read(requests: OwnedReadHalf, shared: &Rc<Shared>) -> Result<()> {
    let mut requests = BufReader::new(requests);
    let mut buffer = Vec::new();
    while let Some(request) = wire::get(&mut requests, &mut buffer).await? {
        match request {
            Request::Start(id, command) => {
                let stop = Rc::new(Notify::new());
                shared.stops.borrow_mut().insert(id, Rc::clone(&stop));
                let shared = Rc::clone(shared);
                tokio::task::spawn_local(async move {
                    let outcome = attempt::attend(&shared, id, command, &stop).await;
                    shared.stops.borrow_mut().remove(&id);
                    shared.ended.notify_one();
                    // If nobody is there to hear it, this process is about to end.
                    let _ = shared.reports.send(Report(id, outcome));
                });
            }
            Request::Stop(id) => {
                if let Some(stop) = shared.stops.borrow().get(&id) {
                    stop.notify_one();
                }
            }
        }
    }
    Ok(())
}

/// Writes what came of commands, many at once where many have ended.
async fn write(mut answers: OwnedWriteHalf, mut reported: mpsc::UnboundedReceiver<Report>) {
    let (mut reports, mut bytes) = (Vec::new(), Vec::new());
    while reported.recv_many(&mut reports, REPORTS_AT_ONCE).await > 0 {
        bytes.clear();
        for report in reports.drain(..) {
            // A report is small, so it fits into a message.
            let _ = wire::put(&mut bytes, &report);
        }
        // Whoever does not read any more is gone, which the reading side learns too.
        let _ = answers.write_all(&bytes).await;
    }
}
