//! Plays the rigs for as long as told, and prints what was counted. `cargo xtask crash` starts it.

use std::{
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
#[cfg(target_os = "linux")]
use magnetar_torture::kill;
use magnetar_torture::{Rig, play, replay, rigs};

const USAGE: &str = "usage: magnetar-torture [--minutes N] [--rig NAME] [--seed N]\n  \
    plays every rig, or the one named, for N minutes in all (1 unless told), or just the round of one seed";

/// What the command line asks for.
struct Args {
    minutes: u64,
    rig: Option<String>,
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    #[cfg(target_os = "linux")]
    if let Some((_, orders)) = args.split_first().filter(|(first, _)| *first == kill::WORKER) {
        return kill::work(orders);
    }
    match parse(args.into_iter()).and_then(|args| run(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Args> {
    let mut parsed = Args { minutes: 1, rig: None, seed: None };
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("`{arg}` needs a value\n{USAGE}"));
        match arg.as_str() {
            "--minutes" => parsed.minutes = value()?.parse().context("--minutes takes a number")?,
            "--rig" => parsed.rig = Some(value()?),
            "--seed" => parsed.seed = Some(value()?.parse().context("--seed takes a number")?),
            _ => bail!("there is no option `{arg}`\n{USAGE}"),
        }
    }
    Ok(parsed)
}

fn run(args: &Args) -> Result<()> {
    let all = rigs();
    let names: Vec<&str> = all.iter().map(|rig| rig.name()).collect();
    let chosen: Vec<&dyn Rig> =
        all.iter().map(|rig| &**rig).filter(|rig| args.rig.as_deref().is_none_or(|name| name == rig.name())).collect();
    if chosen.is_empty() {
        bail!("there is no such rig; there are: {}", names.join(", "));
    }
    if let Some(seed) = args.seed {
        for rig in chosen {
            println!("{}: {}", rig.name(), replay(rig, seed)?);
        }
        return Ok(());
    }
    let share = Duration::from_secs(args.minutes * 60) / u32::try_from(chosen.len())?;
    let first_seed = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() << 20;
    for rig in chosen {
        let begun = Instant::now();
        let counts = play(rig, first_seed, |_| begun.elapsed() < share)?;
        println!("{}: {counts} in {:.0} s, seeds from {first_seed}", rig.name(), begun.elapsed().as_secs_f64());
    }
    Ok(())
}
