//! The program `magnetar`: runs jobs of chunks that survive any crash, and shows and steers them.

mod cli;
mod command;
mod exec;
mod exit;
mod fingerprint;
mod label;
mod outcome;
mod output;
mod overview;
mod pace;
mod run;
mod span;
mod store;
mod text;
mod time;
mod work;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.color.set();
    match command::run(cli.command) {
        Ok(code) => code.into(),
        Err(error) => exit::report(&error),
    }
}
