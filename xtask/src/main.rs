//! The checks and the test suite of the workspace, as `cargo xtask <command>`.

mod bench;
mod demo;
mod git;
mod layers;
mod lint;
mod metadata;
mod run;
mod servers;
mod sources;
mod suite;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};

use crate::{run::Step, suite::Missing};

const USAGE: &str = "\
usage: cargo xtask <command>

  layers            check which crate depends on which, and what stands at the top of the repository
  sources           look for ignored tests and stubs in the crates and the benches
  demo              make docs/demo/words.toml anew, after source files came or went
  lint              fmt, clippy, layers, sources, the demo, features one by one, docs; cargo-deny where it is installed
  servers           look for the servers that tests start; install what is missing where this is root with apt, else name it
                    with what is skipped without it
  test [--require]  run `servers`, then the whole suite; with --require a test that lacks its server fails instead of skipping
                    (the tests see MAGNETAR_REQUIRE=1); the last line of stdout is `N passed, M failed`
  ci                lint, then test --require
  bench [filter]    run the benchmarks whose names match a regular expression, with the disk's flushes and with flushes that
                    cost 100 us and 1 ms, and print the ratios; some minutes each, several hours for all
  crash [--minutes N] [--rig NAME] [--seed N]
                    kill, cut the power, break the disk and flip bits for N minutes (1 unless told), and print the counts;
                    a failure prints the seed that replays it
  help              print this
";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
enum Command {
    Layers,
    Sources,
    Demo,
    Lint,
    Servers,
    Test(Missing),
    Ci,
    Bench(Option<String>),
    Crash(Vec<String>),
    Help,
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let command = match parse(&args.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(command) => command,
        Err(mistake) => {
            eprint!("error: {mistake}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn parse(args: &[&str]) -> Result<Command, String> {
    match args {
        [] | ["help" | "-h" | "--help"] | [_, "-h" | "--help"] => Ok(Command::Help),
        ["layers"] => Ok(Command::Layers),
        ["sources"] => Ok(Command::Sources),
        ["demo"] => Ok(Command::Demo),
        ["lint"] => Ok(Command::Lint),
        ["servers"] => Ok(Command::Servers),
        ["test"] => Ok(Command::Test(Missing::Skips)),
        ["test", "--require"] => Ok(Command::Test(Missing::Fails)),
        ["ci"] => Ok(Command::Ci),
        ["bench"] => Ok(Command::Bench(None)),
        ["bench", filter] if !filter.starts_with('-') => Ok(Command::Bench(Some((*filter).to_owned()))),
        ["crash", options @ ..] => Ok(Command::Crash(options.iter().map(|&option| option.to_owned()).collect())),
        [command @ ("layers" | "sources" | "demo" | "lint" | "servers" | "test" | "ci" | "bench"), rest @ ..] => {
            Err(format!("`{command}` does not take `{}`", rest.join(" ")))
        }
        [unknown, ..] => Err(format!("there is no command `{unknown}`")),
    }
}

fn run(command: &Command) -> Result<()> {
    let root = root()?;
    env::set_current_dir(&root).with_context(|| format!("cannot work in {}", root.display()))?;
    match command {
        Command::Layers => layers::check(),
        Command::Sources => sources::check(),
        Command::Demo => demo::write(),
        Command::Lint => lint::check(),
        Command::Servers => {
            servers::prepare();
            Ok(())
        }
        Command::Test(missing) => suite::run(*missing),
        Command::Ci => lint::check().and_then(|()| suite::run(Missing::Fails)),
        Command::Crash(options) => crash(options),
        Command::Bench(filter) => bench::run(filter.as_deref()),
        Command::Help => {
            print!("{USAGE}");
            Ok(())
        }
    }
}

/// The rigs say themselves what they take.
fn crash(options: &[String]) -> Result<()> {
    let program = ["run", "--profile", "rig", "--package", "magnetar-torture", "--"];
    let args: Vec<&str> = program.into_iter().chain(options.iter().map(String::as_str)).collect();
    Step::cargo("crash", &args).run()
}

/// The root of the workspace: cargo tells where this package is, and it is one folder below.
fn root() -> Result<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR").context("start it as `cargo xtask <command>`")?;
    let root = Path::new(&package).parent().context("the package xtask has no folder above it")?;
    Ok(root.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_understood() {
        let cases: [(&[&str], Command); 14] = [
            (&[], Command::Help),
            (&["help"], Command::Help),
            (&["test", "--help"], Command::Help),
            (&["layers"], Command::Layers),
            (&["sources"], Command::Sources),
            (&["demo"], Command::Demo),
            (&["lint"], Command::Lint),
            (&["servers"], Command::Servers),
            (&["test"], Command::Test(Missing::Skips)),
            (&["test", "--require"], Command::Test(Missing::Fails)),
            (&["ci"], Command::Ci),
            (&["bench"], Command::Bench(None)),
            (&["crash", "--minutes", "9"], Command::Crash(vec!["--minutes".to_owned(), "9".to_owned()])),
            (&["bench", "claim"], Command::Bench(Some("claim".to_owned()))),
        ];
        for (args, command) in cases {
            assert_eq!(parse(args), Ok(command), "{args:?}");
        }
    }

    #[test]
    fn each_command_stands_in_the_usage() {
        for command in [
            "layers",
            "sources",
            "demo",
            "lint",
            "servers",
            "test [--require]",
            "ci",
            "bench [filter]",
            "crash [--minutes N]",
            "help",
        ] {
            assert!(USAGE.lines().any(|line| line.starts_with(&format!("  {command} "))), "{command}");
        }
    }

    #[test]
    fn mistake_is_named() {
        let cases: [(&[&str], &str); 5] = [
            (&["tset"], "there is no command `tset`"),
            (&["lint", "--fix"], "`lint` does not take `--fix`"),
            (&["test", "--require", "a", "b"], "`test` does not take `--require a b`"),
            (&["ci", "--require"], "`ci` does not take `--require`"),
            (&["bench", "--all"], "`bench` does not take `--all`"),
        ];
        for (args, mistake) in cases {
            assert_eq!(parse(args), Err(mistake.to_owned()), "{args:?}");
        }
    }
}
