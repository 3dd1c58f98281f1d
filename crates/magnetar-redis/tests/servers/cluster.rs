//! A Cluster of three masters.

use super::{Server, until};

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Server>,
}

const SLOTS: u16 = 16_384;

impl Cluster {
    pub(crate) fn new() -> Option<Self> {
        let config = ["--save", "", "--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
        let nodes = (0..3).map(|_| Server::with(&config)).collect::<Option<Vec<_>>>()?;
        let share = SLOTS.div_ceil(3);
        for (node, rank) in nodes.iter().zip(0..) {
            let slots: Vec<String> = (rank * share..((rank + 1) * share).min(SLOTS)).map(|slot| slot.to_string()).collect();
            let words: Vec<&str> = ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str)).collect();
            node.tell(&words);
            node.tell(&["CLUSTER", "SET-CONFIG-EPOCH", &(rank + 1).to_string()]);
        }
        for node in &nodes[1..] {
            node.tell(&["CLUSTER", "MEET", "127.0.0.1", &nodes[0].port().to_string()]);
        }
        let cluster = Self { nodes };
        until("the nodes of the Cluster know each other", || cluster.nodes.iter().all(is_ready));
        Some(cluster)
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Server::url).collect()
    }

    /// Which node has the slot of a key.
    pub(crate) fn owner_of(&self, key: &str) -> &Server {
        let has_it = |node: &&Server| node.try_ask::<u64>(&["EXISTS", key]).is_ok();
        self.nodes.iter().find(has_it).unwrap()
    }

    /// Moves a key's slot, with everything in it, to a node that does not have it.
    pub(crate) fn move_slot_of(&self, key: &str) {
        let slot: u16 = self.nodes[0].ask(&["CLUSTER", "KEYSLOT", key]);
        let slot = slot.to_string();
        let from = self.owner_of(key);
        let to = self.nodes.iter().find(|node| node.port() != from.port()).unwrap();
        let (from_id, to_id): (String, String) = (from.ask(&["CLUSTER", "MYID"]), to.ask(&["CLUSTER", "MYID"]));
        to.tell(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
        from.tell(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
        let keys: Vec<String> = from.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "1000"]);
        let port = to.port().to_string();
        for key in &keys {
            from.tell(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
        }
        for node in [to, from].into_iter().chain(&self.nodes) {
            node.tell(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]);
        }
    }
}

/// It sees all slots served, by three nodes that all answer it.
fn is_ready(node: &Server) -> bool {
    let info: String = node.ask(&["CLUSTER", "INFO"]);
    let nodes: String = node.ask(&["CLUSTER", "NODES"]);
    let masters =
        nodes.lines().filter(|line| line.contains("connected") && line.contains("master") && !line.contains("handshake"));
    info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384") && masters.count() == 3
}
