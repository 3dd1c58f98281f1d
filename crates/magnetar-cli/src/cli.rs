//! What can be written on the command line.

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    command::{cancel, checkpoint, completions, dag, doctor, list, man, restore, retry, show, status, watch},
    exec,
    exit::CODES,
    run::RunArgs,
};

/// The name of the program.
pub(crate) const NAME: &str = "magnetar";

/// Runs jobs of chunks that survive any crash, and shows and steers them.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = CODES, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a manifest's commands, or one command for each file
    Run(RunArgs),
    /// Show how far a job is
    Status(status::StatusArgs),
    /// Show how far a job is, again and again until it has ended
    Watch(watch::WatchArgs),
    /// List chunks
    List(list::ListArgs),
    /// Show everything about a chunk
    Show(show::ShowArgs),
    /// Give chunks that failed another chance
    Retry(retry::RetryArgs),
    /// Call chunks off that have not begun
    Cancel(cancel::CancelArgs),
    /// Print which chunk waits for which, as a graph or a picture
    Dag(dag::DagArgs),
    /// Say what is wrong with a store, and the way out
    Doctor(doctor::DoctorArgs),
    /// Save everything in a store to a file
    Checkpoint(checkpoint::CheckpointArgs),
    /// Bring a checkpoint back, in a store that does not have its jobs
    Restore(restore::RestoreArgs),
    /// Print a script that completes this program's arguments in a shell
    Completions(completions::CompletionsArgs),
    /// Print the manual page of the program or of one of its commands
    Man(man::ManArgs),
    /// Attend to the commands of a run, which starts this by itself
    #[command(name = exec::SUBCOMMAND, hide = true)]
    Supervise,
}

/// Whether to use color.
#[derive(Args, Debug)]
pub(crate) struct Color {
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", display_order = 100, help = COLOR)]
    color: When,
}

const COLOR: &str = "When to use color; auto: on a terminal, and as NO_COLOR and CLICOLOR_FORCE say";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

impl Color {
    /// Makes it the choice of the whole program.
    pub(crate) fn set(&self) {
        match self.color {
            When::Auto => anstream::ColorChoice::Auto,
            When::Always => anstream::ColorChoice::Always,
            When::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_fits_together() {
        Cli::command().debug_assert();
    }
}
