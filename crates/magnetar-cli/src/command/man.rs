//! `magnetar man`: the manual, page by page.

use std::io::Write;

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_mangen::Man;

use crate::{
    cli::{Cli, NAME},
    exit::{Code, fault},
};

#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// The command whose page is wanted; without one, the program's own
    command: Option<String>,
}

pub(crate) fn run(args: &ManArgs) -> Result<Code> {
    let mut program = Cli::command();
    program.build();
    let page = match &args.command {
        None => program,
        Some(name) => program
            .find_subcommand(name)
            .filter(|command| !command.is_hide_set())
            .cloned()
            .ok_or_else(|| fault(Code::NotFound, format!("there is no command {name:?}; `magnetar --help` lists them")))?,
    };
    let mut text = Vec::new();
    Man::new(page).source(format!("{NAME} {}", env!("CARGO_PKG_VERSION"))).render(&mut text)?;
    std::io::stdout().write_all(&text)?;
    Ok(Code::Ok)
}
