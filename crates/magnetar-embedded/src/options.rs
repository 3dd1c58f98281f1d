//! How an embedded store is run.

use std::time::Duration;

use crate::heir::LockHeir;

/// How an embedded store is run. The defaults are what DESIGN promises; tests make the numbers small.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How long a session lives without being renewed. Default 30 s.
    pub session_ttl: Duration,
    /// How often a session is renewed: a third of its life. Default 10 s.
    pub renew_every: Duration,
    /// How often upkeep is done when nothing is due: lost leases, timers, the session's own renewal. Default 1 s; zero
    /// does it with every transaction.
    pub upkeep_every: Duration,
    /// The most leases taken back, timers handed out and rows purged in one transaction. Default 1,000.
    pub upkeep_rows: usize,
    /// The most children that are told of an end in one transaction. Default 1,000.
    pub release_rows: usize,
    /// The most groups of one transaction. Default 512.
    pub batch_groups: usize,
    /// The most groups that may wait; more are `Busy`. Default 65,536.
    pub queue_groups: usize,
    /// Threads that read. Default 2.
    pub readers: usize,
    /// Who keeps a duplicate of each session's lock. Default none.
    pub lock_heir: Option<LockHeir>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            session_ttl: Duration::from_secs(30),
            renew_every: Duration::from_secs(10),
            upkeep_every: Duration::from_secs(1),
            upkeep_rows: 1000,
            release_rows: 1000,
            batch_groups: 512,
            queue_groups: 65_536,
            readers: 2,
            lock_heir: None,
        }
    }
}
