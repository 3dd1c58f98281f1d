//! What a look at a store has found.

use anstyle::Style;
use magnetar::Location;
use serde::Serialize;

use crate::{exit::Code, output::style};

/// One thing that was found.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What it is about: the file, the store, or a job.
    pub(super) about: String,
    pub(super) found: String,
    /// What to do; empty where nothing needs to be done.
    pub(super) way_out: String,
    /// How the program ends because of it.
    #[serde(skip)]
    pub(super) code: Code,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// All is well.
    Ok,
    /// Worth knowing.
    Note,
    /// Something is wrong.
    Bad,
}

impl Level {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Bad => "bad",
        }
    }

    pub(super) const fn style(self) -> Style {
        match self {
            Self::Ok => style::GOOD,
            Self::Note => style::ODD,
            Self::Bad => style::BAD,
        }
    }
}

impl Finding {
    pub(super) fn ok(about: impl Into<String>, found: impl Into<String>) -> Self {
        Self { level: Level::Ok, about: about.into(), found: found.into(), way_out: String::new(), code: Code::Ok }
    }

    pub(super) fn note(about: impl Into<String>, found: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self { level: Level::Note, about: about.into(), found: found.into(), way_out: way_out.into(), code: Code::Ok }
    }

    pub(super) fn bad(about: impl Into<String>, found: impl Into<String>, way_out: impl Into<String>, code: Code) -> Self {
        Self { level: Level::Bad, about: about.into(), found: found.into(), way_out: way_out.into(), code }
    }
}

/// `magnetar doctor -o json`. Keys may be added; those that are there stay.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    store: String,
    /// What the program ends with.
    exit_code: u8,
    findings: &'a [Finding],
}

pub(super) fn document<'a>(location: &Location, findings: &'a [Finding], code: Code) -> Document<'a> {
    Document { store: location.to_string(), exit_code: code as u8, findings }
}
