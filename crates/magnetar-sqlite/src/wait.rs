//! How processes wait for each other: short random sleeps, and a gap for the others after one's own turn.
//!
//! SQLite's own busy handler sleeps longer and longer while whoever let go takes the lock again at once, so that a fifth
//! process beside four busy ones waits for seconds.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    thread,
    time::{Duration, Instant},
};

use rusqlite::ErrorCode;

/// How long a call waits before it is `Busy`.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The first sleep is about this long.
const SLEEP_MIN: Duration = Duration::from_micros(50);

/// No sleep is longer.
const SLEEP_MAX: Duration = Duration::from_millis(5);

/// How long one that met others leaves the lock free after its own turn.
const GAP: Duration = Duration::from_micros(200);

/// How long one that met others expects them to be there.
const COMPANY: Duration = Duration::from_millis(500);

/// Waits that grow, for one lock.
pub(crate) struct Patience {
    random: Random,
    sleep: Duration,
    since: Instant,
}

impl Default for Patience {
    fn default() -> Self {
        Self::new(Random::default())
    }
}

impl Patience {
    fn new(random: Random) -> Self {
        Self { random, sleep: SLEEP_MIN, since: now() }
    }

    /// Does something until it is not refused as busy, or the patience is at its end.
    pub(crate) fn with<T>(&mut self, mut act: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        loop {
            match act() {
                Err(error) if is_busy(&error) && self.wait() => {}
                done => return done,
            }
        }
    }

    /// Sleeps, unless the patience is at its end.
    pub(crate) fn wait(&mut self) -> bool {
        if self.since.elapsed() >= WAIT_MAX {
            return false;
        }
        // Between half and the whole, so that those who were refused together do not come back together.
        pause(self.sleep.mul_f64(self.random.between_half_and_one()));
        self.sleep = (self.sleep * 2).min(SLEEP_MAX);
        true
    }
}

/// The turns of one writer at the lock that all processes share.
#[derive(Default)]
pub(crate) struct Turn {
    random: Random,
    ended_at: Option<Instant>,
    met_others_at: Option<Instant>,
}

impl Turn {
    /// Takes the lock.
    pub(crate) fn take<T>(&mut self, mut act: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        self.leave_a_gap();
        match act() {
            Err(error) if is_busy(&error) => {
                let mut patience = Patience::new(self.random.split());
                patience.wait();
                let taken = patience.with(act);
                self.met_others_at = Some(now());
                taken
            }
            done => done,
        }
    }

    /// Notes that the lock was let go.
    pub(crate) fn ended(&mut self) {
        if self.met_others_at.is_some() {
            self.ended_at = Some(now());
        }
    }

    fn leave_a_gap(&mut self) {
        let (Some(ended_at), Some(met_others_at)) = (self.ended_at, self.met_others_at) else { return };
        if met_others_at.elapsed() > COMPANY {
            (self.ended_at, self.met_others_at) = (None, None);
        } else if let Some(rest) = GAP.checked_sub(ended_at.elapsed()) {
            pause(rest);
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed))
}

/// Random numbers that need not be good (xorshift64*).
struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(RandomState::new().build_hasher().finish() | 1)
    }
}

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn split(&mut self) -> Self {
        Self(self.next() | 1)
    }

    fn between_half_and_one(&mut self) -> f64 {
        // The upper 16 bits: of what this makes they are the best.
        let sixteen = u16::try_from(self.next() >> 48).unwrap_or_default();
        0.5 + f64::from(sixteen) / 131_072.0
    }
}

#[expect(clippy::disallowed_methods, reason = "how long one waits for a lock has nothing to do with the time of the store")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "another process gives no condition to wait for")]
fn pause(duration: Duration) {
    thread::sleep(duration);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy() -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)
    }

    #[test]
    fn waits_grow_and_stay_below_their_maximum() {
        let mut patience = Patience::default();
        for _ in 0..10 {
            assert!(patience.wait());
        }
        assert_eq!(patience.sleep, SLEEP_MAX);
    }

    #[test]
    fn patience_ends_with_the_error_of_the_last_try() {
        let mut patience = Patience { since: now().checked_sub(WAIT_MAX).unwrap(), ..Patience::default() };
        assert!(is_busy(&patience.with(|| Err::<(), _>(busy())).unwrap_err()));
    }

    #[test]
    fn lock_is_taken_once_it_is_free_and_company_is_remembered() {
        let (mut turn, mut tries) = (Turn::default(), 0);
        let taken = turn.take(|| {
            tries += 1;
            if tries < 5 { Err(busy()) } else { Ok(tries) }
        });
        assert_eq!(taken.unwrap(), 5);
        assert!(turn.met_others_at.is_some());
    }

    #[test]
    fn random_numbers_lie_between_half_and_one_and_differ() {
        let mut random = Random::default();
        let drawn: Vec<f64> = (0..100).map(|_| random.between_half_and_one()).collect();
        assert!(drawn.iter().all(|number| (0.5..1.0).contains(number)), "{drawn:?}");
        assert!(drawn.windows(2).any(|pair| pair[0] < pair[1]) && drawn.windows(2).any(|pair| pair[0] > pair[1]));
    }
}
