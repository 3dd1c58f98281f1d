//! What a chunk is about, in a few words.

use magnetar::JobState;
use serde_json::{Map, Value};

use crate::text::shell_word;

/// What a chunk is about: its input, else the command it runs, else its key; empty where nothing says.
pub(crate) fn label(chunk: &JobState) -> String {
    let keys = chunk.extra.to_map();
    text(&keys, "input")
        .or_else(|| text(&keys, "shell"))
        .or_else(|| argv(&keys))
        .or_else(|| chunk.key.clone())
        .unwrap_or_default()
}

fn text(keys: &Map<String, Value>, key: &str) -> Option<String> {
    keys.get(key)?.as_str().map(str::to_owned)
}

fn argv(keys: &Map<String, Value>) -> Option<String> {
    let words: Vec<_> = keys.get("run")?.as_array()?.iter().filter_map(Value::as_str).map(shell_word).collect();
    Some(words.join(" "))
}
