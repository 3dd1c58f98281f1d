//! The commands, one a file.

pub(crate) mod cancel;
pub(crate) mod checkpoint;
pub(crate) mod completions;
pub(crate) mod dag;
pub(crate) mod doctor;
mod kept;
pub(crate) mod list;
pub(crate) mod man;
mod marks;
pub(crate) mod restore;
pub(crate) mod retry;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod watch;

use anyhow::{Context, Result};

use crate::{cli::Command, exec, exit::Code};

/// Does what was asked for.
pub(crate) fn run(command: Command) -> Result<Code> {
    match command {
        Command::Run(args) => block_on(crate::run::run(args)),
        Command::Status(args) => block_on(status::run(args)),
        Command::Watch(args) => block_on(watch::run(args)),
        Command::List(args) => block_on(list::run(args)),
        Command::Show(args) => block_on(show::run(args)),
        Command::Retry(args) => block_on(retry::run(args)),
        Command::Cancel(args) => block_on(cancel::run(args)),
        Command::Dag(args) => block_on(dag::run(args)),
        Command::Doctor(args) => block_on(doctor::run(args)),
        Command::Checkpoint(args) => block_on(checkpoint::run(args)),
        Command::Restore(args) => block_on(restore::run(args)),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Supervise => exec::supervise(),
    }
}

/// Runs a command that waits for a store.
fn block_on(command: impl Future<Output = Result<Code>>) -> Result<Code> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("the system gives this program no events to wait for")?.block_on(command)
}
