//! The commands, one a file.

pub(crate) mod completions;
pub(crate) mod man;

use anyhow::Result;

use crate::{cli::Command, exit::Code};

/// Does what was asked for.
pub(crate) fn run(command: Command) -> Result<Code> {
    match command {
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}
