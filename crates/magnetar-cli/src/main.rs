//! The program `magnetar`.

fn main() {}
