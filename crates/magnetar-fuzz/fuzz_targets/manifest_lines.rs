//! Runs the target under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| magnetar_fuzz::manifest::lines(bytes));
