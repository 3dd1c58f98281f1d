//! The keys as they stand in a chunk, read into [`Work`].

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value};

use super::{
    Action, Problem, Work,
    command::OWN_VARIABLES,
    template::{Names, Template},
};

/// Every key of a chunk: first those that are read here, then those that core reads.
const KEYS: &[&str] = &[
    "run",
    "shell",
    "input",
    "output",
    "env",
    "cwd",
    "timeout",
    "id",
    "checksum",
    "depends_on",
    "payload",
    "priority",
    "lane",
    "not_before",
    "retries",
    "key",
];

/// Longer keys are compared with none.
const KEY_BYTES_COMPARED: usize = 32;
/// Characters of a value that is shown.
const SHOWN_CHARS: usize = 40;

/// Reads the keys of a chunk.
pub(super) fn read(keys: &Map<String, Value>) -> Result<Work, Problem> {
    let (mut run, mut shell) = (None, None);
    let (mut inputs, mut output, mut env, mut cwd, mut timeout) = (Vec::new(), None, BTreeMap::new(), None, None);
    for (key, value) in keys {
        match key.as_str() {
            _ if value.is_null() && KEYS.contains(&key.as_str()) => {}
            "run" => run = Some(argv(value)?),
            "shell" => shell = Some(text(key, value)?),
            "input" => inputs = paths(key, value)?,
            "output" => output = Some(path(key, value)?),
            "env" => env = variables(value)?,
            "cwd" => cwd = Some(path(key, value)?),
            "timeout" => timeout = Some(duration(key, value)?),
            _ => return Err(Problem::UnknownKey { key: key.clone() }),
        }
    }
    let action = match (run, shell) {
        (Some(argv), None) => Action::Run(argv),
        (None, Some(line)) => Action::Shell(line),
        (None, None) => return Err(Problem::NothingToRun),
        (Some(_), Some(_)) => return Err(Problem::TwoThingsToRun),
    };
    let work = Work { action, inputs, output, env, cwd, timeout };
    work.check_names()?;
    Ok(work)
}

/// What to say about a key that is not known.
pub(super) fn hint(key: &str) -> String {
    let near = |known: &&'static str| {
        let distance = strsim::damerau_levenshtein(key, known);
        (key.len() <= KEY_BYTES_COMPARED && distance <= key.chars().count().div_ceil(2)).then_some((distance, *known))
    };
    match KEYS.iter().filter_map(near).min_by_key(|(distance, _)| *distance) {
        Some((_, nearest)) => format!(", did you mean `{nearest}`?"),
        None => format!("; known are {}", KEYS.join(", ")),
    }
}

impl Work {
    /// Refuses placeholders that this chunk has nothing for.
    fn check_names(&self) -> Result<(), Problem> {
        let names = Names { inputs: self.inputs.len(), has_output: self.output.is_some() };
        let check =
            |key: String, template: &Template, names| template.check(names).map_err(|problem| Problem::Template { key, problem });
        if let Action::Run(argv) = &self.action {
            for template in argv {
                // An argument that is nothing but the input becomes as many as there are inputs.
                let names = if template.is_input() { Names { inputs: names.inputs.min(1), ..names } } else { names };
                check("run".to_owned(), template, names)?;
            }
        }
        self.env.iter().try_for_each(|(name, template)| check(format!("env.{name}"), template, names))
    }
}

fn argv(value: &Value) -> Result<Vec<Template>, Problem> {
    const EXPECTED: &str = "an array of texts, the program first, as in [\"gzip\", \"-k\", \"{input}\"]";
    let wrong = || wrong("run", EXPECTED, value);
    let words = value.as_array().filter(|words| !words.is_empty()).ok_or_else(wrong)?;
    if words.first().and_then(Value::as_str) == Some("") {
        return Err(wrong());
    }
    words.iter().map(|word| template("run", word.as_str().ok_or_else(wrong)?)).collect()
}

fn variables(value: &Value) -> Result<BTreeMap<String, Template>, Problem> {
    let wrong = || wrong("env", "a table of texts, as in { LEVEL = \"9\" }", value);
    let mut variables = BTreeMap::new();
    for (name, value) in value.as_object().ok_or_else(wrong)? {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(Problem::WrongValue {
                key: "env".to_owned(),
                expected: "a table whose names are not empty and hold no `=`",
                found: shown(&Value::String(name.clone())),
            });
        }
        if OWN_VARIABLES.contains(&name.as_str()) {
            return Err(Problem::OwnVariable { name: name.clone() });
        }
        variables.insert(name.clone(), template(&format!("env.{name}"), value.as_str().ok_or_else(wrong)?)?);
    }
    Ok(variables)
}

fn paths(key: &str, value: &Value) -> Result<Vec<String>, Problem> {
    const EXPECTED: &str = "a path or an array of paths, none of them empty";
    match value {
        Value::Array(paths) if !paths.is_empty() => {
            paths.iter().map(|value| path(key, value).map_err(|_| wrong(key, EXPECTED, value))).collect()
        }
        Value::String(_) => Ok(vec![path(key, value)?]),
        _ => Err(wrong(key, EXPECTED, value)),
    }
}

fn path(key: &str, value: &Value) -> Result<String, Problem> {
    let path = text(key, value)?;
    if path.is_empty() { Err(wrong(key, "a path that is not empty", value)) } else { Ok(path) }
}

fn duration(key: &str, value: &Value) -> Result<Duration, Problem> {
    let duration = value.as_str().and_then(|text| humantime::parse_duration(text).ok());
    duration.ok_or_else(|| wrong(key, "a duration such as \"5m\"", value))
}

fn template(key: &str, text: &str) -> Result<Template, Problem> {
    no_nul(key, text)?;
    Template::parse(text).map_err(|problem| Problem::Template { key: key.to_owned(), problem })
}

fn text(key: &str, value: &Value) -> Result<String, Problem> {
    let text = value.as_str().ok_or_else(|| wrong(key, "a text", value))?;
    no_nul(key, text)?;
    Ok(text.to_owned())
}

fn no_nul(key: &str, text: &str) -> Result<(), Problem> {
    if text.contains('\0') { Err(Problem::Nul { key: key.to_owned() }) } else { Ok(()) }
}

fn wrong(key: &str, expected: &'static str, value: &Value) -> Problem {
    Problem::WrongValue { key: key.to_owned(), expected, found: shown(value) }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(keys: &Value) -> String {
        read(keys.as_object().unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn unknown_key_is_told_the_nearest_right_one() {
        let check = |key: &str, nearest: &str| {
            assert_eq!(error(&json!({ "run": ["a"], key: 1 })), format!("unknown key `{key}`, did you mean `{nearest}`?"));
        };
        check("imput", "input");
        check("depend_on", "depends_on");
        check("retry", "retries");
        check("sehll", "shell");
        check("outptu", "output");
        assert!(error(&json!({ "run": ["a"], "xyzzy": 1 })).starts_with("unknown key `xyzzy`; known are run, shell, input"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_key() {
        let check = |keys: Value, expected: &str| {
            let error = error(&keys);
            assert!(error.contains(expected), "{keys}: {error}");
        };
        check(json!({}), "neither `run` nor `shell`");
        check(json!({ "run": ["a"], "shell": "b" }), "both `run` and `shell`");
        for run in [json!([]), json!("gzip a"), json!([1]), json!([""]), json!({})] {
            check(json!({ "run": run }), "key `run` must be an array of texts");
        }
        check(json!({ "shell": ["a"] }), "key `shell` must be a text, found [\"a\"]");
        check(json!({ "shell": "a\0b" }), "key `shell` holds a NUL");
        for input in [json!(""), json!([]), json!(["a", ""]), json!(7), json!([7])] {
            check(json!({ "shell": "a", "input": input }), "key `input` must be a path");
        }
        check(json!({ "shell": "a", "env": ["A"] }), "key `env` must be a table of texts");
        check(json!({ "shell": "a", "env": { "A": 1 } }), "key `env` must be a table of texts");
        check(json!({ "shell": "a", "env": { "A=B": "1" } }), "hold no `=`, found \"A=B\"");
        check(json!({ "shell": "a", "env": { "MAGNETAR_FENCE": "1" } }), "`env.MAGNETAR_FENCE` is set by");
        check(json!({ "shell": "a", "cwd": 1 }), "key `cwd` must be a text");
        check(json!({ "run": ["a", "{inptu}"] }), "key `run`: unknown placeholder `{inptu}`");
        check(json!({ "run": ["a", "{input}"] }), "key `run`: `{input}` stands for the chunk's input, and it has none");
        check(json!({ "run": ["a", "x{input}"], "input": ["b", "c"] }), "key `run`: `{input}` stands for one input");
        check(json!({ "run": ["a"], "env": { "A": "{output}" } }), "key `env.A`: `{output}` stands for");
        check(json!({ "shell": "x".repeat(50), "input": "y".repeat(50), "cwd": ["z".repeat(100)] }), "…");
    }

    #[test]
    fn null_stands_for_a_key_that_was_left_out() {
        let keys = json!({ "run": ["a"], "shell": null, "input": null, "env": null, "timeout": null });
        assert_eq!(read(keys.as_object().unwrap()).unwrap().inputs, Vec::<String>::new());
    }
}
