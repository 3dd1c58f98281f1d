//! Runs the target under libFuzzer, where cargo-fuzz builds it.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| magnetar_fuzz::keys::run(bytes));

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("build this with cargo-fuzz: cargo +nightly fuzz run --fuzz-dir crates/magnetar-fuzz key_escape");
}
