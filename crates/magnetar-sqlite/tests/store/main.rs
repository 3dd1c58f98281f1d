//! A store in a file among the things of this world: other processes, files that are none, disks that are full.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bad_input;
mod child;
mod processes;

/// Plays a role, where this process is a child of a test.
#[test]
fn child() {
    let Some((role, path)) = child::role() else { return };
    match role.as_str() {
        "tries" => bad_input::attempt(&path),
        "fills" => bad_input::fill(&path),
        "fills up" => bad_input::fill_up(&path),
        "hot" => processes::work(&path, 4),
        "calm" => processes::work(&path, 1),
        "holder" => processes::hold(&path),
        "stopped" => processes::be_stopped(&path),
        "creator" => processes::create(&path),
        other => panic!("no role {other}"),
    }
}
