//! Ports that nobody uses.

use std::net::{Ipv4Addr, TcpListener};

/// The bus of a Cluster is that far above the port of a node.
pub(super) const BUS: u16 = 10_000;

/// A port that is free now, as is the one for the bus.
pub(super) fn free() -> u16 {
    let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    for _ in 0..1000 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        if port.checked_add(BUS).is_some_and(is_free) {
            return port;
        }
    }
    panic!("no port is free");
}
