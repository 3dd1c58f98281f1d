//! From a chunk to the command that is started for it.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    path::Path,
};

use super::{Action, Base, Template, Work, template::Name};
use crate::exec::Command;

/// Variables that every command gets, whatever the manifest says.
pub(super) const OWN_VARIABLES: &[&str] = &[
    "MAGNETAR_JOB",
    "MAGNETAR_CHUNK",
    "MAGNETAR_ATTEMPT",
    "MAGNETAR_FENCE",
    "MAGNETAR_KEY",
    "MAGNETAR_INPUT",
    "MAGNETAR_OUTPUT",
    "MAGNETAR_RUN",
];

/// The shell of `shell` lines.
const SHELL: &str = "/bin/sh";

/// Where and for which attempt a command is started.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings<'a> {
    /// Where relative paths begin.
    pub(crate) base: &'a Base,
    /// The name of the job.
    pub(crate) job: &'a str,
    /// The chunk.
    pub(crate) chunk: u64,
    /// The number of the attempt, from 1.
    pub(crate) attempt: u32,
    /// The token of the claim.
    pub(crate) token: u64,
    /// A name for the chunk's effect that is the same for all attempts.
    pub(crate) key: &'a str,
}

impl Work {
    /// The command of one attempt.
    pub(crate) fn command(&self, at: &Surroundings<'_>) -> Command {
        let paths = |paths: &[String]| paths.iter().map(|path| self.path(at, path)).collect::<Vec<_>>();
        let inputs = paths(&self.inputs);
        let output = self.output.as_ref().map(|path| self.path(at, path));
        let filling = Filling { at, inputs: &inputs, output: output.as_deref() };
        let (program, args) = match &self.action {
            Action::Run(argv) => filling.argv(argv),
            Action::Shell(line) => {
                let args = ["-c".into(), line.into(), "sh".into()].into_iter().chain(inputs.iter().cloned());
                (SHELL.into(), args.collect())
            }
        };
        Command {
            program: at.base.program(program),
            args,
            env: filling.variables(self),
            cwd: at.base.cwd(self.cwd.as_deref()).into_os_string(),
            timeout: self.timeout,
        }
    }

    fn path(&self, at: &Surroundings<'_>, path: &str) -> OsString {
        at.base.for_command(path, self.cwd.as_deref())
    }
}

/// What stands in the places of placeholders.
struct Filling<'a> {
    at: &'a Surroundings<'a>,
    inputs: &'a [OsString],
    output: Option<&'a OsStr>,
}

impl<'a> Filling<'a> {
    fn argv(&self, argv: &[Template]) -> (OsString, Vec<OsString>) {
        let mut words = argv
            .iter()
            .flat_map(|word| if word.is_input() { self.inputs.to_vec() } else { vec![word.fill(|name| self.value(name))] });
        (words.next().unwrap_or_default(), words.collect())
    }

    fn variables(&self, work: &Work) -> Vec<(OsString, OsString)> {
        let own = |name: &str, value: OsString| (OsString::from(name), value);
        let mut variables = vec![
            own("MAGNETAR_JOB", self.at.job.into()),
            own("MAGNETAR_CHUNK", self.at.chunk.to_string().into()),
            own("MAGNETAR_ATTEMPT", self.at.attempt.to_string().into()),
            own("MAGNETAR_FENCE", self.at.token.to_string().into()),
            own("MAGNETAR_KEY", self.at.key.into()),
        ];
        if !self.inputs.is_empty() {
            variables.push(own("MAGNETAR_INPUT", self.inputs.join(OsStr::new("\n"))));
        }
        variables.extend(self.output.map(|output| own("MAGNETAR_OUTPUT", output.to_owned())));
        variables.extend(work.env.iter().map(|(name, value)| (name.into(), value.fill(|name| self.value(name)))));
        variables
    }

    fn value(&self, name: Name) -> Cow<'a, OsStr> {
        // A chunk without what is asked for has been refused.
        let input = || self.inputs.first().map_or(Path::new(""), |input| Path::new(input.as_os_str()));
        match name {
            Name::Input => input().as_os_str().into(),
            Name::LastPart => input().file_name().unwrap_or_default().into(),
            Name::Stem => input().file_stem().unwrap_or_default().into(),
            Name::Folder => match input().parent().map(Path::as_os_str) {
                Some(parent) if !parent.is_empty() => parent.into(),
                _ => OsStr::new(".").into(),
            },
            Name::Output => self.output.unwrap_or_default().into(),
            Name::Id => number(self.at.chunk),
            Name::Job => OsStr::new(self.at.job).into(),
            Name::Attempt => number(self.at.attempt.into()),
            Name::Fence => number(self.at.token),
            Name::Key => OsStr::new(self.at.key).into(),
        }
    }
}

fn number(number: u64) -> Cow<'static, OsStr> {
    OsString::from(number.to_string()).into()
}

#[cfg(test)]
mod tests {
    use magnetar::Extra;
    use serde_json::{Value, json};

    use super::*;

    fn command(keys: &Value) -> Command {
        let base = Base::new("/jobs".into());
        let at = Surroundings { base: &base, job: "nightly", chunk: 7, attempt: 2, token: 99, key: "nightly:7" };
        Work::of(&Extra::new(keys.as_object().unwrap())).unwrap().command(&at)
    }

    fn words(command: &Command) -> Vec<&str> {
        std::iter::once(&command.program).chain(&command.args).map(|word| word.to_str().unwrap()).collect()
    }

    #[test]
    fn arguments_are_filled_in_without_a_shell() {
        let check = |keys: Value, expected: &[&str]| assert_eq!(words(&command(&keys)), expected);
        check(json!({ "run": ["gzip", "-k", "{input}"], "input": "a b;c" }), &["gzip", "-k", "a b;c"]);
        check(json!({ "run": ["cat", "{input}", "-"], "input": ["a", "b"] }), &["cat", "a", "b", "-"]);
        check(json!({ "run": ["x", "{name}", "{stem}", "{dir}"], "input": "a/b.tar.gz" }), &["x", "b.tar.gz", "b.tar", "a"]);
        check(json!({ "run": ["x", "{dir}/{output}"], "input": "a", "output": "o" }), &["x", "./o"]);
        check(
            json!({ "run": ["x", "{id}", "{job}", "{attempt}", "{fence}", "{key}"] }),
            &["x", "7", "nightly", "2", "99", "nightly:7"],
        );
    }

    #[test]
    fn shell_line_is_left_as_it_is_and_gets_inputs_as_arguments() {
        let command = command(&json!({ "shell": "cat \"$@\" {input}", "input": ["a", "-b"] }));
        assert_eq!(words(&command), ["/bin/sh", "-c", "cat \"$@\" {input}", "sh", "a", "./-b"]);
    }

    #[test]
    fn paths_begin_at_the_manifest() {
        let check = |keys: Value, program: &str, input: &str, cwd: &str| {
            let command = command(&keys);
            assert_eq!((words(&command), command.cwd.to_str().unwrap()), (vec![program, input], cwd));
        };
        check(json!({ "run": ["gzip", "{input}"], "input": "a" }), "gzip", "a", "/jobs");
        check(json!({ "run": ["gzip", "{input}"], "input": "-a" }), "gzip", "./-a", "/jobs");
        check(json!({ "run": ["gzip", "{input}"], "input": "-a", "cwd": "in" }), "gzip", "/jobs/-a", "/jobs/in");
        check(json!({ "run": ["./tool", "{input}"], "input": "/a" }), "/jobs/./tool", "/a", "/jobs");
        check(json!({ "run": ["/bin/tool", "{input}"], "input": "a", "cwd": "/tmp" }), "/bin/tool", "/jobs/a", "/tmp");
    }

    #[test]
    fn variables_name_the_attempt() {
        let command = command(&json!({
            "run": ["x"], "input": ["a", "b"], "output": "o", "env": { "LEVEL": "{attempt}", "JSON": "{{}}" }
        }));
        let variables: Vec<_> =
            command.env.iter().map(|(name, value)| format!("{}={}", name.display(), value.display())).collect();
        assert_eq!(
            variables,
            [
                "MAGNETAR_JOB=nightly",
                "MAGNETAR_CHUNK=7",
                "MAGNETAR_ATTEMPT=2",
                "MAGNETAR_FENCE=99",
                "MAGNETAR_KEY=nightly:7",
                "MAGNETAR_INPUT=a\nb",
                "MAGNETAR_OUTPUT=o",
                "JSON={}",
                "LEVEL=2",
            ]
        );
    }
}
