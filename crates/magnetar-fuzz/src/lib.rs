//! Fuzz targets: functions that take any bytes, do something that must hold for all of them, and panic where it does not.
//!
//! `cargo test -p magnetar-fuzz` runs each over its corpus and over mutations of it that a seed decides: `MAGNETAR_FUZZ_RUNS` says
//! how many, `MAGNETAR_SEED` from which seed. To search further with libFuzzer:
//!
//! ```text
//! cargo install cargo-fuzz --locked
//! cargo +nightly fuzz run --fuzz-dir crates/magnetar-fuzz manifest_toml -- -max_total_time=60
//! ```
//!
//! What it finds and is worth keeping goes to `corpus/TARGET`, as small as `cargo fuzz tmin` makes it.

pub mod checkpoints;
pub mod draw;
pub mod groups;
pub mod keys;
pub mod manifest;
pub mod mutate;
pub mod rows;
mod tables;
pub mod tokens;

/// The most bytes of an input. What is longer is cut.
pub const INPUT_BYTES_MAX: usize = 64 * 1024;

/// A target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its corpus and of its binary.
    pub name: &'static str,
    /// Takes an input, and panics where something does not hold.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 8] = [
    Target { name: "manifest_toml", run: manifest::toml },
    Target { name: "manifest_json", run: manifest::json },
    Target { name: "manifest_lines", run: manifest::lines },
    Target { name: "rows", run: rows::run },
    Target { name: "groups", run: groups::run },
    Target { name: "checkpoint_decode", run: checkpoints::run },
    Target { name: "token_decode", run: tokens::run },
    Target { name: "key_escape", run: keys::run },
];

fn cut(bytes: &[u8]) -> &[u8] {
    bytes.get(..INPUT_BYTES_MAX).unwrap_or(bytes)
}
