//! A master, a replica and a sentinel that watches them.

use std::fs;

use super::{Server, until};

pub(crate) struct Watched {
    pub(crate) first: Server,
    pub(crate) second: Server,
    pub(crate) sentinel: Server,
}

impl Watched {
    pub(crate) const NAME: &str = "tokens";

    pub(crate) fn new() -> Option<Self> {
        let first = Server::with(&["--save", ""])?;
        let second = Server::with(&["--save", ""])?;
        second.tell(&["REPLICAOF", "127.0.0.1", &first.port().to_string()]);
        until("the replica is in step", || second.says("replication", "master_link_status", "up"));
        let name = Self::NAME;
        let sentinel = sentinel(first.port());
        let watched = Self { first, second, sentinel };
        until("the sentinel knows the replica", || {
            let replicas: Vec<redis::Value> = watched.sentinel.ask(&["SENTINEL", "REPLICAS", name]);
            replicas.len() == 1
        });
        Some(watched)
    }

    /// Waits until the replica has everything.
    pub(crate) fn wait_until_in_step(&self) {
        let offset = self.first.info("replication", "master_repl_offset");
        until("the replica has everything", || {
            let has: Option<u64> = self.second.info("replication", "slave_repl_offset").parse().ok();
            has >= offset.parse().ok()
        });
    }

    /// Changes the roles of the two, which both go on running, and tells the sentinel.
    pub(crate) fn change_roles(&self) {
        self.second.tell(&["REPLICAOF", "NO", "ONE"]);
        let port = self.second.port().to_string();
        self.first.tell(&["REPLICAOF", "127.0.0.1", &port]);
        self.sentinel.tell(&["SENTINEL", "REMOVE", Self::NAME]);
        self.sentinel.tell(&["SENTINEL", "MONITOR", Self::NAME, "127.0.0.1", &port, "1"]);
    }

    /// Whom the sentinel calls the master.
    pub(crate) fn master_port(&self) -> u16 {
        let (_, port): (String, u16) = self.sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self::NAME]);
        port
    }
}

/// A sentinel of a master, besides others.
pub(crate) fn sentinel(master: u16) -> Server {
    let name = Watched::NAME;
    let state = format!(
        "sentinel monitor {name} 127.0.0.1 {master} 1\nsentinel down-after-milliseconds {name} 300\nsentinel failover-timeout {name} 3000\n",
    );
    let folder = tempfile::Builder::new().prefix("magnetar-redis-").tempdir().unwrap().keep();
    let file = folder.join("sentinel.conf");
    fs::write(&file, state).unwrap();
    Server::build_in(folder, &[file.to_str().unwrap(), "--sentinel"], None)
}
