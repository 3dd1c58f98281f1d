//! Every interleaving of the atomic words: the breaker's state, a retry budget's balance, a limiter's bucket.
//!
//! The files that hold them are compiled here a second time, with loom's atomics where they import `crate::sync`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(dead_code, reason = "each file is whole, and not all of it is used here")]

#[path = "../src/breaker/word.rs"]
mod breaker;
#[path = "../src/limiter/gcra.rs"]
mod gcra;
#[path = "../src/retry/ledger.rs"]
mod ledger;

mod sync {
    pub(crate) use loom::sync::atomic::AtomicU64;
}

use loom::{sync::Arc, thread};

use self::{
    breaker::{Admission, Effect, Mode, Probing, Stamped, Word},
    gcra::{Gcra, Grace},
    ledger::{Ledger, RETRY},
};

const LEASE: u64 = 160;

fn open(word: &Word) -> Probing {
    let probing = Probing::new(1, LEASE);
    let Admission::Admitted { generation, .. } = word.admit(&probing, || 0) else { panic!("closed breakers admit") };
    assert!(matches!(word.fail(generation, 1, |_| 10), Effect::Moved(_)));
    probing
}

fn admit(word: &Word, probing: &Probing, now: u64) -> Option<(u32, bool)> {
    match word.admit(probing, || now) {
        Admission::Admitted { generation, moved } => Some((generation, moved.is_some())),
        Admission::Refused { .. } => None,
    }
}

/// Runs two threads in every order, and returns what each found.
fn race<A: Send + 'static, B: Send + 'static>(
    word: &Arc<Word>,
    one: impl FnOnce(&Word) -> A + Send + 'static,
    two: impl FnOnce(&Word) -> B + Send + 'static,
) -> (A, B) {
    let shared = Arc::clone(word);
    let other = thread::spawn(move || one(&shared));
    let two = two(word);
    (other.join().unwrap(), two)
}

#[test]
fn t13_open_becomes_half_open_exactly_once() {
    loom::model(|| {
        let word = Arc::new(Word::new());
        let probing = open(&word);
        let (one, two) = race(&word, move |word| admit(word, &probing, 10), move |word| admit(word, &probing, 10));
        let admitted: Vec<_> = [one, two].into_iter().flatten().collect();
        assert_eq!(admitted, [(2, true)], "one probe, and one who made the transition");
    });
}

#[test]
fn t02_stale_outcome_moves_nothing_while_others_probe() {
    loom::model(|| {
        let word = Arc::new(Word::new());
        let probing = open(&word);
        let late = move |word: &Word| [word.succeed(0, &probing), word.fail(0, 1, |_| 99), word.release(0)];
        let probe = move |word: &Word| {
            let (generation, _) = admit(word, &probing, 10)?;
            Some(word.succeed(generation, &probing))
        };
        let (late, probe) = race(&word, late, probe);
        assert_eq!(late, [Effect::Stale; 3]);
        assert!(matches!(probe, Some(Effect::Moved(_))));
        assert_eq!(word.load(), Stamped { generation: 3, mode: Mode::Closed { failures: 0 } });
    });
}

#[test]
fn failures_that_race_open_the_breaker_once() {
    loom::model(|| {
        let word = Arc::new(Word::new());
        let fail = |word: &Word| matches!(word.fail(0, 2, |_| 10), Effect::Moved(_));
        let (one, two) = race(&word, fail, fail);
        assert!(one != two, "no failure is lost, and one of them moves");
        assert_eq!(word.load(), Stamped { generation: 1, mode: Mode::Open { until: 10 } });
    });
}

#[test]
fn t01_place_that_is_given_back_is_found_or_free() {
    loom::model(|| {
        let word = Arc::new(Word::new());
        let probing = open(&word);
        let (generation, _) = admit(&word, &probing, 10).unwrap();
        let leave = move |word: &Word| word.release(generation);
        let (_, came) = race(&word, leave, move |word| admit(word, &probing, 10));
        let in_flight = u64::from(came.is_some());
        let Stamped { mode: Mode::HalfOpen { in_flight: found, successes: 0, .. }, .. } = word.load() else {
            panic!("a probe that leaves moves nothing")
        };
        assert_eq!(found, in_flight);
    });
}

#[test]
fn t03_probes_that_end_and_begin_never_pass_the_quota() {
    loom::model(|| {
        let word = Arc::new(Word::new());
        open(&word);
        let probing = Probing::new(2, LEASE);
        let (generation, _) = admit(&word, &probing, 10).unwrap();
        let end = move |word: &Word| word.succeed(generation, &probing);
        let (_, came) = race(&word, end, move |word| [admit(word, &probing, 10), admit(word, &probing, 10)]);
        assert_eq!(came.iter().flatten().count(), 1, "one has succeeded or is under way, so there is one place");
    });
}

#[test]
fn t04_lease_that_is_over_begins_one_turn() {
    loom::model(|| {
        let word = Arc::new(Word::new());
        let probing = open(&word);
        let (hung, _) = admit(&word, &probing, 10).unwrap();
        let late = 10 + 2 * LEASE;
        let (one, two) = race(&word, move |word| admit(word, &probing, late), move |word| admit(word, &probing, late));
        assert_eq!([one, two].into_iter().flatten().collect::<Vec<_>>(), [(hung + 1, true)]);
        assert_eq!(word.succeed(hung, &probing), Effect::Stale);
    });
}

#[test]
fn t17_budget_is_never_overdrawn_and_no_payment_is_lost() {
    loom::model(|| {
        let ledger = Arc::new(Ledger::new(2 * RETRY, 0));
        assert!(ledger.take(0));
        let shared = Arc::clone(&ledger);
        let other = thread::spawn(move || {
            let taken = shared.take(0);
            shared.pay(RETRY / 2);
            taken
        });
        let taken = ledger.take(0);
        ledger.pay(RETRY / 2);
        let other = other.join().unwrap();
        assert!(taken || other, "there was one");
        let taken = u64::from(taken) + u64::from(other);
        assert_eq!(ledger.balance(), 2 * RETRY - taken * RETRY, "one of two halves may have made a second retry");
    });
}

#[test]
fn t17_time_pays_in_once_for_all() {
    loom::model(|| {
        let ledger = Arc::new(Ledger::new(RETRY, 1));
        assert!(ledger.take(0));
        let shared = Arc::clone(&ledger);
        let other = thread::spawn(move || shared.take(1000));
        let taken = ledger.take(1000);
        assert!(taken != other.join().unwrap(), "a second pays for one retry, whoever asks");
    });
}

#[test]
fn t23_token_is_taken_once() {
    loom::model(|| {
        let bucket = Arc::new(Gcra::new(100, 2, 2, 0));
        let shared = Arc::clone(&bucket);
        let take = |bucket: &Gcra| [(); 2].map(|()| bucket.take(1, 0, Grace::None).is_ok());
        let other = thread::spawn(move || take(&shared));
        let taken = take(&bucket).into_iter().chain(other.join().unwrap()).filter(|taken| *taken).count();
        assert_eq!(taken, 2, "two tokens, four takers");
        assert_eq!(bucket.take(1, 99, Grace::None), Err(1));
        assert_eq!(bucket.take(1, 100, Grace::None), Ok(()));
    });
}

#[test]
fn t23_clock_that_another_thread_read_earlier_gives_no_token_twice() {
    loom::model(|| {
        let bucket = Arc::new(Gcra::new(100, 1, 0, 0));
        let shared = Arc::clone(&bucket);
        let other = thread::spawn(move || shared.take(1, 100, Grace::None).is_ok());
        let late = bucket.take(1, 150, Grace::None).is_ok();
        assert!(late != other.join().unwrap(), "one token was made by then");
    });
}
