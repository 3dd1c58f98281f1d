//! Running one command so that it ends with whoever started it.
//!
//! Commands are not children of `magnetar run`. It starts a small process of the same binary, the *supervisor*, and tells it
//! over a socket what to run; the supervisor starts each command in a process group of its own, reads what it prints, kills it
//! in time, and reports how it ended. The socket's other end is held by `magnetar run` alone. When that is gone, however it
//! went, the supervisor kills everything it has started, waits until it is gone, and ends.
//!
//! - The supervisor holds a duplicate of the lock of the store's session ([`heir`](client::Supervisors::heir)). So nobody can
//!   take the session for dead, and hand its chunks out again, while a command of it still runs.
//! - It is the parent, and on Linux the *subreaper*, of all that is started. So there is no moment at which a command exists
//!   that it does not know, and one that daemonises becomes its child again, instead of that of process 1.
//! - If it is killed itself, its children fall to `magnetar run`, which is a subreaper too: that kills them and starts another.
//!
//! Where there is no subreaper (outside Linux) a command that leaves its process group is not found, and a supervisor that is
//! killed leaves its commands behind.

mod client;
mod command;
mod family;
mod outcome;
mod supervisor;
mod tail;
mod wire;

pub(crate) use self::{
    client::Supervisors,
    command::Command,
    outcome::{End, Outcome},
    supervisor::run as supervise,
    tail::Tail,
};

/// What the program is called with to be a supervisor. No user needs it.
pub(crate) const SUBCOMMAND: &str = "supervise";
