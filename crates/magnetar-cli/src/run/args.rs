//! The arguments of `magnetar run`.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, ValueEnum};

use crate::output::OutputArgs;

/// Commands that may run at once at most.
const JOBS_MAX: u64 = 1000;

#[derive(Args, Debug)]
#[command(after_help = AFTER)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct RunArgs {
    /// The manifest: TOML, JSON or JSON lines. Its store stands beside it: that of jobs.toml is jobs.toml.db
    #[arg(value_name = "MANIFEST", required_unless_present = "each", conflicts_with = "each")]
    pub(crate) manifest: Option<PathBuf>,
    /// Run a command on each file that matches, instead of a manifest
    #[arg(long, value_name = "GLOB", num_args = 1.., requires = "command")]
    pub(crate) each: Vec<String>,
    /// The command for each file; {} is the file, {name}, {stem} and {dir} are parts of its path
    #[arg(last = true, value_name = "CMD", requires = "each", conflicts_with = "manifest")]
    pub(crate) command: Vec<String>,
    /// The name of the job of --each, instead of one that is made of the command line
    #[arg(long, value_name = "NAME", requires = "each", conflicts_with = "manifest")]
    pub(crate) name: Option<String>,
    /// Where the store is, instead of beside the manifest
    #[arg(long, value_name = "LOCATION", env = "MAGNETAR_STORE")]
    pub(crate) store: Option<String>,
    /// How many commands run at once; as many as there are processors by default
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=JOBS_MAX))]
    jobs: Option<u64>,
    /// Start nothing new once a chunk has failed
    #[arg(long, overrides_with = "keep_going")]
    pub(crate) fail_fast: bool,
    /// Go on with everything that does not depend on what failed; this is the default
    #[arg(long, overrides_with = "fail_fast")]
    keep_going: bool,
    /// Work along with a run of the same job
    #[arg(long)]
    pub(crate) join: bool,
    /// Say what would run and why, and change nothing
    #[arg(long, conflicts_with = "join")]
    pub(crate) dry_run: bool,
    /// How progress is shown
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(crate) progress: ProgressMode,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How progress is shown, on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// A bar on a terminal, plain lines elsewhere
    Auto,
    /// A bar, and what runs
    Bar,
    /// A line from time to time
    Plain,
    /// Nothing
    None,
}

const AFTER: &str = "\
Run it again to carry on: what is done is not done again, unless an input changed since; what failed is tried again.
Ctrl-C lets what runs finish and then ends; a second one kills it.";

impl RunArgs {
    /// How many commands run at once.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs.and_then(|jobs| usize::try_from(jobs).ok()).unwrap_or_else(processors)
    }
}

/// How many processors there are for this program.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}
