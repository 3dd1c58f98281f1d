//! Prints `docs/state-machine.md`.

fn main() {
    print!("{}", magnetar_core::machine::markdown());
}
