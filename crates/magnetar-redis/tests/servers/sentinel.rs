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
        let first = Server::with(&["--save", "", "--repl-diskless-sync-delay", "0"])?;
        let second = Server::with(&["--save", "", "--repl-diskless-sync-delay", "0"])?;
        second.tell(&["REPLICAOF", "127.0.0.1", &first.port().to_string()]);
        until("the replica is in step", || second.says("replication", "master_link_status", "up"));
        let name = Self::NAME;
        let state = format!(
            "sentinel monitor {name} 127.0.0.1 {} 1\nsentinel down-after-milliseconds {name} 300\nsentinel failover-timeout {name} 3000\n",
            first.port(),
        );
        let folder = tempfile::Builder::new().prefix("magnetar-redis-").tempdir().unwrap().keep();
        let file = folder.join("sentinel.conf");
        fs::write(&file, state).unwrap();
        let sentinel = Server::build_in(folder, &[file.to_str().unwrap(), "--sentinel"], None);
        let watched = Self { first, second, sentinel };
        until("the sentinel knows the replica", || {
            let replicas: Vec<redis::Value> = watched.sentinel.ask(&["SENTINEL", "REPLICAS", name]);
            replicas.len() == 1
        });
        Some(watched)
    }

    /// Whom the sentinel calls the master.
    pub(crate) fn master_port(&self) -> u16 {
        let (_, port): (String, u16) = self.sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self::NAME]);
        port
    }
}
