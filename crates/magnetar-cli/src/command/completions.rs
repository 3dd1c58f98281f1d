//! `magnetar completions`: what a shell needs to complete this program's arguments.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use crate::{
    cli::{Cli, NAME},
    exit::Code,
};

#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Result<Code> {
    let mut command = without_hidden(&Cli::command());
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, NAME, &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Code::Ok)
}

/// The program as people know it. Commands that are not in the help would otherwise be offered too.
fn without_hidden(program: &Command) -> Command {
    let shown = program.get_subcommands().filter(|command| !command.is_hide_set());
    Command::new(NAME).version(env!("CARGO_PKG_VERSION")).args(program.get_arguments()).subcommands(shown)
}
