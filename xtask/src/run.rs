//! Steps: commands that are announced, timed, and named with a way to repeat them when they fail.

use std::{
    env, fmt,
    io::{self, BufRead, BufReader, Write},
    process::{Command, ExitStatus, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, anyhow, ensure};

/// One command of a longer run.
#[derive(Debug)]
pub(crate) struct Step {
    name: String,
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
}

/// Cargo itself: the one that runs us, so that every step sees the same toolchain.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command to its end and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    String::from_utf8(output.stdout).with_context(|| format!("{command:?} printed something other than text"))
}

/// Announces a piece of work, does it, and says how long it took.
pub(crate) fn timed<T>(name: &str, what: &dyn fmt::Display, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("\n==> {name}: {what}");
    let start = now();
    let done = work();
    let outcome = if done.is_ok() { "done" } else { "failed" };
    eprintln!("<== {name}: {outcome} after {:.1} s", start.elapsed().as_secs_f64());
    done.map_err(|error| anyhow!("step `{name}` failed: {error:#}\nto repeat it: {what}"))
}

/// Fails, and names every fault, if there is one.
pub(crate) fn no_faults(faults: &[String]) -> Result<()> {
    ensure!(faults.is_empty(), "{} found\n  {}", faults.len(), faults.join("\n  "));
    Ok(())
}

impl Step {
    /// A step that runs cargo with these words.
    pub(crate) fn cargo(name: impl Into<String>, args: &[&str]) -> Self {
        Self { name: name.into(), args: args.iter().map(|&arg| arg.to_owned()).collect(), env: Vec::new() }
    }

    /// Sets a variable for the command.
    pub(crate) fn env(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.env.push((key, value.into()));
        self
    }

    /// Runs the step; its output goes where ours goes.
    pub(crate) fn run(&self) -> Result<()> {
        timed(&self.name, self, || ended(self.command().status().context("cannot start cargo")?))
    }

    /// Runs the step, passes its stdout on while it comes, and shows each line of it to `see`.
    pub(crate) fn stream(&self, mut see: impl FnMut(&str)) -> Result<()> {
        timed(&self.name, self, || {
            let mut child = self.command().stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
            let stdout = child.stdout.take().context("a piped stdout is there")?;
            // The child is waited for even when its output cannot be passed on.
            let echoed = echo(BufReader::new(stdout), io::stdout().lock(), &mut see);
            let status = child.wait().context("cannot wait for cargo")?;
            echoed.context("cannot pass on what cargo prints")?;
            ended(status)
        })
    }

    fn command(&self) -> Command {
        let mut command = cargo();
        command.args(&self.args).envs(self.env.iter().map(|(key, value)| (key, value)));
        command
    }
}

/// The line that repeats the step in a shell.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in &self.env {
            write!(f, "{key}=\"{value}\" ")?;
        }
        write!(f, "cargo {}", self.args.join(" "))
    }
}

fn ended(status: ExitStatus) -> Result<()> {
    ensure!(status.success(), "cargo ended with {status}");
    Ok(())
}

/// Copies line by line. A test may print bytes that are no text, so they are copied as they are.
fn echo(mut from: impl BufRead, mut to: impl Write, see: &mut dyn FnMut(&str)) -> io::Result<()> {
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        to.flush()?;
        see(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "how long a step took is for the reader; nothing is decided by it")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_prints_as_the_line_that_repeats_it() {
        let step = Step::cargo("docs", &["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(step.to_string(), "RUSTDOCFLAGS=\"-D warnings\" cargo doc --no-deps");
    }

    #[test]
    fn failed_step_names_itself_and_how_to_repeat_it() {
        let error = Step::cargo("nonsense", &["no-such-command"]).run().unwrap_err().to_string();
        assert!(error.starts_with("step `nonsense` failed: cargo ended with "), "{error}");
        assert!(error.ends_with("\nto repeat it: cargo no-such-command"), "{error}");
    }

    #[test]
    fn step_sees_the_variables_it_was_given() {
        let command = Step::cargo("docs", &["doc"]).env("RUSTDOCFLAGS", "-D warnings").command();
        assert!(command.get_envs().eq([("RUSTDOCFLAGS".as_ref(), Some("-D warnings".as_ref()))]));
    }

    #[test]
    fn every_fault_is_named() {
        let error = no_faults(&["first".to_owned(), "second".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "2 found\n  first\n  second");
    }

    #[test]
    fn every_byte_is_echoed_and_every_line_is_seen() {
        let (mut copy, mut seen) = (Vec::new(), Vec::new());
        let bytes: &[u8] = b"one\n\xff two\nno end";
        echo(bytes, &mut copy, &mut |line| seen.push(line.to_owned())).unwrap();
        assert_eq!(copy, bytes);
        assert_eq!(seen, ["one\n", "\u{fffd} two\n", "no end"]);
    }
}
