//! The benchmarks, those of stores with flushes as the disk has them and with flushes of a fixed price, and the ratios they came to.

mod ratios;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::run::Step;

/// What a flush costs: as it is called in the names of benchmarks, and in nanoseconds; none leaves it to the disk.
const FLUSHES: [(&str, Option<&str>); 3] = [("disk", None), ("100us", Some("100000")), ("1ms", Some("1000000"))];

/// Those that flush nothing: the parts of resilience beside the crates that others use.
const PEERS: [&str; 6] = ["--package", "magnetar-bench", "--features", "peers", "--bench", "peers"];

/// Runs the benchmarks whose names match the filter, a regular expression over `<what> <backend> <flush>/<side>/<size>`; over
/// `<what>/<side>/<crowd>` where nothing is flushed.
pub(crate) fn run(filter: Option<&str>) -> Result<()> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let target = std::path::absolute(target).context("cannot find the target folder")?;
    let results = target.join("bench");
    if results.exists() {
        fs::remove_dir_all(&results).with_context(|| format!("cannot remove {}", results.display()))?;
    }
    Step::cargo("build", &["bench", "--package", "magnetar-bench", "--no-run"]).run()?;
    Step::cargo("build the peers", &[&["bench"], &PEERS[..], &["--no-run"]].concat()).run()?;
    // Built as the benchmarks are, beside them.
    Step::cargo("build the program", &["build", "--profile", "bench", "--package", "magnetar-cli"]).run()?;
    for (name, nanos) in FLUSHES {
        let args = [&["bench", "--package", "magnetar-bench", "--"][..], filter.as_slice()].concat();
        let step = Step::cargo(format!("benchmarks, flush {name}"), &args)
            .env("CRITERION_HOME", results.display().to_string())
            .env("MAGNETAR_BENCH_FLUSH", name);
        match nanos {
            None => step.run()?,
            Some(nanos) => {
                let shim = shim(&target)?;
                step.env("MAGNETAR_BENCH_FLUSH_NANOS", nanos).env("LD_PRELOAD", shim.display().to_string()).run()?;
            }
        }
    }
    let args = [&["bench"], &PEERS[..], &["--"], filter.as_slice()].concat();
    Step::cargo("benchmarks beside peers", &args).env("CRITERION_HOME", results.display().to_string()).run()?;
    print!("{}", ratios::table(&results)?);
    Ok(())
}

/// Builds the library that gives flushes their price.
fn shim(target: &Path) -> Result<PathBuf> {
    let shim = target.join("flush.so");
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(&compiler);
    command.args(["-O2", "-shared", "-fPIC", "benches/flush.c", "-o"]).arg(&shim);
    let status = command.status().with_context(|| format!("cannot start the C compiler {}", compiler.display()))?;
    ensure!(status.success(), "the C compiler ended with {status}");
    Ok(shim)
}
