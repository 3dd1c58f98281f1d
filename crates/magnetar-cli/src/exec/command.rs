//! What is to be run.

use std::{ffi::OsString, time::Duration};

use serde::{Deserialize, Serialize};

/// A program with its arguments and surroundings. It gets no input, and prints into pipes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Command {
    /// The program: a path, or a name that is looked for in `PATH`.
    pub(crate) program: OsString,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// Variables beside those of `magnetar run` itself.
    pub(crate) env: Vec<(OsString, OsString)>,
    /// The folder it runs in.
    pub(crate) cwd: OsString,
    /// How long it may run; no limit where there is none.
    pub(crate) timeout: Option<Duration>,
}
