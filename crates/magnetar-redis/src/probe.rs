//! What a server keeps, as it says itself.

use std::{collections::HashMap, fmt};

use magnetar_state::{Durability, StateError, StateResult as Result};
use redis::Value;

use crate::call::Caller;

/// What a server keeps of what it acknowledged, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RedisDurability {
    /// It does not tell: it forbids `CONFIG`, as many that are rented do. Counts as the weakest.
    Unknown,
    /// Nothing: what it had is gone with its process.
    None,
    /// Snapshots: everything since the last one is gone with its process.
    Rdb,
    /// A log that the operating system writes when it likes (`appendfsync no`).
    AofNo,
    /// A log that is flushed every second: a second or two are gone with its process.
    AofEverysec,
    /// A log that is flushed before each answer (`appendfsync always`).
    AofAlways,
}

impl RedisDurability {
    /// What survives, in the words of all stores: a power cut with `AofAlways`, else not even a kill of the server.
    pub fn survives(self) -> Durability {
        if self == Self::AofAlways { Durability::Power } else { Durability::Volatile }
    }
}

impl fmt::Display for RedisDurability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown (the server does not tell)",
            Self::None => "none (no files)",
            Self::Rdb => "rdb (snapshots)",
            Self::AofNo => "aof-no (appendonly yes, appendfsync no)",
            Self::AofEverysec => "aof-everysec (appendonly yes, appendfsync everysec)",
            Self::AofAlways => "aof-always (appendonly yes, appendfsync always)",
        })
    }
}

/// What the servers said of themselves; of a Cluster the weakest of its masters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisProbe {
    /// What they keep.
    pub durability: RedisDurability,
    /// How many replicas each has at least. They get what was acknowledged a little later, and a failover loses what they have not got yet.
    pub replicas: u64,
    /// What they do when memory is full (`maxmemory-policy`); none where they do not tell.
    pub eviction: Option<String>,
    /// Their version; the first one's where there are several.
    pub version: Option<String>,
    /// What to see to, in plain words: settings that are not told, or that endanger tokens.
    pub warnings: Vec<String>,
}

impl RedisProbe {
    /// Asks, and refuses a server that is a replica, that evicts what does not expire, or that keeps less than is required.
    pub(crate) async fn take(caller: &Caller, require: RedisDurability) -> Result<Self> {
        let place = &caller.scene.place;
        let info = caller.ask_all(&redis::cmd("INFO")).await?;
        let masters: Vec<Master> = info.unwrap_or_default().into_iter().map(|(_, answer)| Master::of_info(answer)).collect();
        let first = masters.first().cloned().unwrap_or_default();
        if masters.iter().any(|master| master.is_replica) {
            return Err(StateError::ReadOnly { place: format!("{place}, which is a replica,"), source: None });
        }
        if caller.is_one_server() && masters.iter().any(|master| master.is_in_a_cluster) {
            return Err(StateError::invalid(format!("{place} is a node of a Cluster: name it with cluster in place of url")));
        }
        let settings = settings(caller).await?;
        let durability = settings.iter().flatten().map(durability_of).min().unwrap_or(RedisDurability::Unknown);
        let evictions = settings.iter().flatten().filter_map(|settings| settings.get("maxmemory-policy"));
        let eviction = evictions.max_by_key(|policy| danger_of(policy)).cloned();
        let replicas = masters.iter().map(|master| master.replicas).min().unwrap_or(0);
        let mut probe = Self { durability, replicas, eviction, version: first.version, warnings: Vec::new() };
        probe.judge(place, require, caller.replicas())?;
        for warning in &probe.warnings {
            tracing::warn!(redis = %place, "{warning}");
        }
        Ok(probe)
    }

    fn judge(&mut self, place: &str, require: RedisDurability, replicas: u64) -> Result<()> {
        if let Some(policy) = self.eviction.as_deref().filter(|policy| danger_of(policy) == 2) {
            return Err(StateError::Denied {
                what: format!(
                    "{place} throws tokens away when its memory is full (maxmemory-policy {policy}): set it to noeviction, or use another server"
                ),
                source: None,
            });
        }
        if self.durability < require {
            let (required, found) = (require.to_string(), self.durability.to_string());
            return Err(StateError::TooWeak { place: place.to_owned(), required, found });
        }
        if self.replicas < replicas {
            let (required, found) = (format!("replicated to {replicas}"), format!("replicated to {}", self.replicas));
            return Err(StateError::TooWeak { place: place.to_owned(), required, found });
        }
        if self.durability == RedisDurability::Unknown {
            self.warnings.push(
                "the server does not tell its settings (CONFIG GET is forbidden); nothing is known to survive a restart".into(),
            );
        } else if self.durability < RedisDurability::AofAlways {
            self.warnings.push(format!(
                "durability is {}; a restart of the server may lose tokens that were acknowledged",
                self.durability
            ));
        }
        if let Some(policy) = self.eviction.as_deref().filter(|policy| danger_of(policy) == 1) {
            self.warnings
                .push(format!("maxmemory-policy is {policy}: tokens with a time to live are thrown away when memory is full"));
        }
        Ok(())
    }
}

type Settings = HashMap<String, String>;

/// What one server said of itself.
#[derive(Clone, Default)]
struct Master {
    is_replica: bool,
    is_in_a_cluster: bool,
    replicas: u64,
    version: Option<String>,
}

impl Master {
    fn of_info(answer: Value) -> Self {
        let text: String = redis::from_redis_value(answer).unwrap_or_default();
        let line = |key: &str| text.lines().find_map(|line| line.trim_end().strip_prefix(key)?.strip_prefix(':'));
        Self {
            is_replica: line("role") == Some("slave"),
            is_in_a_cluster: line("redis_mode") == Some("cluster"),
            replicas: line("connected_slaves").and_then(|number| number.parse().ok()).unwrap_or(0),
            version: line("redis_version").map(str::to_owned),
        }
    }
}

/// The settings of each master that matter here, and no others: among those there are passwords. None where they are not told.
async fn settings(caller: &Caller) -> Result<Option<Vec<Settings>>> {
    let mut masters: HashMap<String, Settings> = HashMap::new();
    // One pattern a question: more of them are for version 7 and later.
    for pattern in ["append*", "save", "maxmemory-policy"] {
        let Some(answers) = caller.ask_all(redis::cmd("CONFIG").arg("GET").arg(pattern)).await? else { return Ok(None) };
        for (master, answer) in answers {
            masters.entry(master).or_default().extend(redis::from_redis_value::<Settings>(answer).unwrap_or_default());
        }
    }
    Ok(Some(masters.into_values().collect()))
}

fn durability_of(settings: &Settings) -> RedisDurability {
    let setting = |name: &str| settings.get(name).map(String::as_str);
    match (setting("appendonly"), setting("appendfsync"), setting("save")) {
        (Some("yes"), Some("always"), _) => RedisDurability::AofAlways,
        (Some("yes"), Some("everysec"), _) => RedisDurability::AofEverysec,
        (Some("yes"), Some("no"), _) => RedisDurability::AofNo,
        (Some("no"), _, Some("")) => RedisDurability::None,
        (Some("no"), _, Some(_)) => RedisDurability::Rdb,
        _ => RedisDurability::Unknown,
    }
}

/// How much of a store is at risk when memory is full: nothing, tokens that expire, or everything.
fn danger_of(policy: &str) -> u8 {
    if policy.starts_with("allkeys-") { 2 } else { u8::from(policy.starts_with("volatile-")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(appendonly: &str, appendfsync: &str, save: &str) -> Settings {
        [("appendonly", appendonly), ("appendfsync", appendfsync), ("save", save)]
            .map(|(key, value)| (key.into(), value.into()))
            .into()
    }

    #[test]
    fn durability_is_read_from_the_settings() {
        let cases = [
            ("yes", "always", "", RedisDurability::AofAlways),
            ("yes", "everysec", "3600 1", RedisDurability::AofEverysec),
            ("yes", "no", "", RedisDurability::AofNo),
            ("no", "always", "3600 1", RedisDurability::Rdb),
            ("no", "always", "", RedisDurability::None),
            ("yes", "someday", "", RedisDurability::Unknown),
        ];
        for (appendonly, appendfsync, save, expected) in cases {
            assert_eq!(durability_of(&settings(appendonly, appendfsync, save)), expected, "{appendonly} {appendfsync} {save}");
        }
        assert_eq!(durability_of(&Settings::new()), RedisDurability::Unknown);
    }

    #[test]
    fn levels_are_in_order() {
        use RedisDurability as Level;
        let levels = [Level::Unknown, Level::None, Level::Rdb, Level::AofNo, Level::AofEverysec, Level::AofAlways];
        assert!(levels.is_sorted());
        let powers = levels.map(|level| level.survives() == Durability::Power);
        assert_eq!(powers, [false, false, false, false, false, true]);
    }
}
