//! What a chunk is about, in a few words.

use magnetar::JobState;
use serde_json::{Map, Value};

use crate::text::shell_word;

/// What a chunk is about: its shell line, else its command with the files filled in, else its inputs, else its key; empty where
/// nothing says. Nothing is run by it: what it cannot make out it leaves as it stands.
pub(crate) fn label(chunk: &JobState) -> String {
    let keys = chunk.extra.to_map();
    let words = match keys.get("shell").and_then(Value::as_str) {
        Some(line) => return line.to_owned(),
        None => command(&keys),
    };
    let key = || chunk.key.clone().unwrap_or_default();
    words.iter().map(|word| shell_word(word)).reduce(|line, word| format!("{line} {word}")).unwrap_or_else(key)
}

/// The words of the command, or the inputs where there is none.
fn command(keys: &Map<String, Value>) -> Vec<String> {
    let (words, inputs, output) = (texts(keys, "run"), texts(keys, "input"), texts(keys, "output").concat());
    if words.is_empty() {
        return inputs;
    }
    let fill = |word: String| match (word.as_str(), inputs.as_slice()) {
        ("{}" | "{input}", inputs) => inputs.to_vec(),
        (_, [input]) => vec![word.replace("{}", input).replace("{input}", input).replace("{output}", &output)],
        _ => vec![word.replace("{output}", &output)],
    };
    words.into_iter().flat_map(fill).collect()
}

/// The texts under a key: one, or an array of them.
fn texts(keys: &Map<String, Value>, key: &str) -> Vec<String> {
    match keys.get(key) {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use magnetar::Extra;
    use serde_json::json;

    use super::*;

    #[test]
    fn chunk_is_called_by_what_it_does() {
        let check = |keys: Value, expected: &str| {
            let mut chunk = JobState::new(1, 2);
            chunk.key = Some("order-7".to_owned());
            chunk.extra = Extra::new(keys.as_object().unwrap());
            assert_eq!(label(&chunk), expected, "{keys}");
        };
        check(json!({}), "order-7");
        check(json!({"input": "a b.csv"}), "'a b.csv'");
        check(json!({"shell": "sort < a > b", "input": "a"}), "sort < a > b");
        check(json!({"run": ["gzip", "-k", "{}"], "input": "a b"}), "gzip -k 'a b'");
        check(json!({"run": ["cat", "{input}", "-o{output}"], "input": ["a", "b"], "output": "c"}), "cat a b -oc");
        check(json!({"run": ["cp", "{input}", "{input}.bak"], "input": "a"}), "cp a a.bak");
        check(json!({"run": 7, "shell": 8, "input": {"a": 1}}), "order-7");
    }
}
