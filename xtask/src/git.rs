//! What git knows of the tree.

use std::process::Command;

use anyhow::Result;

use crate::run;

/// The tracked files that match one of the patterns; with no pattern, all of them.
pub(crate) fn files(patterns: &[&str]) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    // A checkout that belongs to another user is listed too: cargo already runs the code in it.
    git.args(["-c", "safe.directory=*", "ls-files", "-z", "--"]);
    let listing = run::output(git.args(patterns))?;
    Ok(listing.split('\0').filter(|file| !file.is_empty()).map(str::to_owned).collect())
}
