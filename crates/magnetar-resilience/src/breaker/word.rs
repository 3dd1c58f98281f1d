//! The state of a breaker in one atomic word, and every step that it can take.
//!
//! A word is `generation:22 | mode:2 | payload:40`. Each change of mode raises the generation in the same exchange, so what was
//! admitted under an older one finds another number there and moves nothing. Times come in as milliseconds since the
//! breaker was made.

use std::sync::atomic::Ordering::{AcqRel, Acquire};

use crate::sync::AtomicU64;

const PAYLOAD_BITS: u32 = 40;
const PAYLOAD_MASK: u64 = (1 << PAYLOAD_BITS) - 1;
const GENERATION_BITS: u32 = 22;
const GENERATION_MASK: u32 = (1 << GENERATION_BITS) - 1;
const COUNT_BITS: u32 = 10;
const COUNT_MASK: u64 = PROBES_MAX as u64;
const SINCE_MASK: u64 = (1 << 20) - 1;

/// What is zero while the mode is closed and nothing has failed: its tag and its count.
const CALM_MASK: u64 = (1 << (PAYLOAD_BITS + 2)) - 1;

/// The payload of a mode that somebody forced: it neither counts nor ends.
const FORCED: u64 = PAYLOAD_MASK;
/// The largest count and the latest time that a payload holds: 34 years of milliseconds.
const LARGEST: u64 = FORCED - 1;

/// The most probes that a half-open breaker may ask for.
pub(crate) const PROBES_MAX: usize = (1 << COUNT_BITS) - 1;

/// How many parts a probe lease is measured in.
const LEASE_PARTS: u64 = 16;

/// What a breaker does with calls, and what it counts meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Lets everything through; so many failed in a row.
    Closed { failures: u64 },
    /// Lets everything through, whatever fails.
    ForcedClosed,
    /// Lets nothing through until this time.
    Open { until: u64 },
    /// Lets nothing through.
    ForcedOpen,
    /// Lets probes through; `since` is in parts of a lease, and wraps.
    HalfOpen { in_flight: u64, successes: u64, since: u64 },
}

/// A mode, and the number of its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamped {
    pub(crate) generation: u32,
    pub(crate) mode: Mode,
}

/// A change of mode, seen by the one who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) from: Mode,
    pub(crate) to: Stamped,
}

/// Whether a call may go ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It may, under this generation.
    Admitted { generation: u32, moved: Option<Moved> },
    /// It may not, for so many milliseconds; 0 where others probe.
    Refused { wait: u64 },
}

/// What the end of a call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It counted, and the mode is what it was.
    Counted(Mode),
    /// It counted, and changed the mode.
    Moved(Moved),
    /// The call was admitted under another generation.
    Stale,
}

/// What half-open means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probing {
    /// So many probes must succeed, and no more are let through.
    quota: u64,
    /// A part of the lease, in milliseconds.
    part: u64,
    /// The lease in parts: probes that take longer are given up.
    lease: u64,
}

impl Probing {
    /// `quota` probes, which hold their places for `lease` milliseconds.
    pub(crate) fn new(quota: usize, lease: u64) -> Self {
        let part = lease.div_ceil(LEASE_PARTS).max(1);
        Self { quota: quota.clamp(1, PROBES_MAX) as u64, part, lease: lease.div_ceil(part) }
    }

    fn since(&self, now: u64) -> u64 {
        (now / self.part) & SINCE_MASK
    }

    /// The first part may have been short, so the lease is over when one part more has passed.
    fn is_over(&self, since: u64, now: u64) -> bool {
        (now / self.part).wrapping_sub(since) & SINCE_MASK > self.lease
    }

    fn begin(&self, generation: u32, now: u64) -> Stamped {
        Stamped { generation: next(generation), mode: Mode::HalfOpen { in_flight: 1, successes: 0, since: self.since(now) } }
    }
}

/// The word.
#[derive(Debug)]
pub(crate) struct Word(AtomicU64);

impl Word {
    /// Closed, nothing counted.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(Stamped { generation: 0, mode: Mode::Closed { failures: 0 } }.pack()))
    }

    /// What it is at the moment.
    #[inline]
    pub(crate) fn load(&self) -> Stamped {
        Stamped::unpack(self.0.load(Acquire))
    }

    /// The generation of a closed breaker under which nothing has failed since the last success. It lets every call through, and
    /// a success leaves it as it is.
    #[inline]
    pub(crate) fn calm(&self) -> Option<u32> {
        let word = self.0.load(Acquire);
        (word & CALM_MASK == 0).then_some((word >> (PAYLOAD_BITS + 2)) as u32)
    }

    /// Lets a call through, or not. The time is asked for only where it matters.
    pub(crate) fn admit(&self, probing: &Probing, now: impl Fn() -> u64) -> Admission {
        loop {
            let current = self.load();
            let Stamped { generation, mode } = current;
            let target = match mode {
                Mode::Closed { .. } | Mode::ForcedClosed => return Admission::Admitted { generation, moved: None },
                Mode::ForcedOpen => return Admission::Refused { wait: u64::MAX },
                Mode::Open { until } => match until.saturating_sub(now()) {
                    0 => probing.begin(generation, now()),
                    wait => return Admission::Refused { wait },
                },
                Mode::HalfOpen { in_flight, successes, since } if in_flight + successes < probing.quota => {
                    Stamped { generation, mode: Mode::HalfOpen { in_flight: in_flight + 1, successes, since } }
                }
                Mode::HalfOpen { since, .. } if probing.is_over(since, now()) => probing.begin(generation, now()),
                Mode::HalfOpen { .. } => return Admission::Refused { wait: 0 },
            };
            if self.exchange(current, target) {
                let moved = (target.generation != generation).then_some(Moved { from: mode, to: target });
                return Admission::Admitted { generation: target.generation, moved };
            }
        }
    }

    /// How long a call would be refused from now on, in milliseconds; none where it would be let through.
    pub(crate) fn refuses(&self, probing: &Probing, now: impl Fn() -> u64) -> Option<u64> {
        match self.load().mode {
            Mode::Closed { .. } | Mode::ForcedClosed => None,
            Mode::ForcedOpen => Some(u64::MAX),
            Mode::Open { until } => Some(until.saturating_sub(now())).filter(|wait| *wait > 0),
            Mode::HalfOpen { in_flight, successes, since } => {
                (in_flight + successes >= probing.quota && !probing.is_over(since, now())).then_some(0)
            }
        }
    }

    /// A call that was let through under this generation did well.
    pub(crate) fn succeed(&self, generation: u32, probing: &Probing) -> Effect {
        self.end(generation, |mode| match mode {
            Mode::Closed { .. } => Mode::Closed { failures: 0 },
            Mode::HalfOpen { successes, .. } if successes + 1 >= probing.quota => Mode::Closed { failures: 0 },
            Mode::HalfOpen { in_flight, successes, since } => {
                Mode::HalfOpen { in_flight: in_flight.saturating_sub(1), successes: successes + 1, since }
            }
            other => other,
        })
    }

    /// It failed. `until` tells how long the breaker would be open from that mode on.
    pub(crate) fn fail(&self, generation: u32, threshold: u64, until: impl Fn(Mode) -> u64) -> Effect {
        self.end(generation, |mode| match mode {
            Mode::Closed { failures } if failures.saturating_add(1) >= threshold => Mode::open(until(mode)),
            Mode::Closed { failures } => Mode::Closed { failures: (failures + 1).min(LARGEST) },
            Mode::HalfOpen { .. } => Mode::open(until(mode)),
            other => other,
        })
    }

    /// It ended and says nothing about the service: its place is free.
    pub(crate) fn release(&self, generation: u32) -> Effect {
        self.end(generation, |mode| match mode {
            Mode::HalfOpen { in_flight, successes, since } => {
                Mode::HalfOpen { in_flight: in_flight.saturating_sub(1), successes, since }
            }
            other => other,
        })
    }

    /// Opens a closed breaker, because of what is counted elsewhere.
    pub(crate) fn trip(&self, generation: u32, until: impl Fn(Mode) -> u64) -> Effect {
        self.end(generation, |mode| match mode {
            Mode::Closed { .. } => Mode::open(until(mode)),
            other => other,
        })
    }

    /// Goes to a mode whatever was, under a generation of its own.
    pub(crate) fn force(&self, mode: Mode) -> Moved {
        loop {
            let current = self.load();
            let target = Stamped { generation: next(current.generation), mode };
            if self.exchange(current, target) {
                return Moved { from: current.mode, to: target };
            }
        }
    }

    /// The step of a call that was let through under a generation: none where another is in force. A mode of another kind begins a
    /// new generation.
    fn end(&self, generation: u32, step: impl Fn(Mode) -> Mode) -> Effect {
        loop {
            let current = self.load();
            if current.generation != generation {
                return Effect::Stale;
            }
            let mode = step(current.mode);
            if mode == current.mode {
                return Effect::Counted(mode);
            }
            let moves = mode.tag() != current.mode.tag();
            let target = Stamped { generation: if moves { next(generation) } else { generation }, mode };
            if self.exchange(current, target) {
                return if moves { Effect::Moved(Moved { from: current.mode, to: target }) } else { Effect::Counted(mode) };
            }
        }
    }

    fn exchange(&self, current: Stamped, target: Stamped) -> bool {
        self.0.compare_exchange(current.pack(), target.pack(), AcqRel, Acquire).is_ok()
    }
}

impl Mode {
    fn open(until: u64) -> Self {
        Self::Open { until: until.min(LARGEST) }
    }

    fn tag(self) -> u64 {
        match self {
            Self::Closed { .. } | Self::ForcedClosed => 0,
            Self::Open { .. } | Self::ForcedOpen => 1,
            Self::HalfOpen { .. } => 2,
        }
    }

    fn payload(self) -> u64 {
        match self {
            Self::Closed { failures } => failures,
            Self::Open { until } => until,
            Self::ForcedClosed | Self::ForcedOpen => FORCED,
            Self::HalfOpen { in_flight, successes, since } => (in_flight << 30) | (successes << 20) | since,
        }
    }
}

impl Stamped {
    #[inline]
    fn pack(self) -> u64 {
        (u64::from(self.generation) << (PAYLOAD_BITS + 2)) | (self.mode.tag() << PAYLOAD_BITS) | self.mode.payload()
    }

    #[inline]
    fn unpack(word: u64) -> Self {
        let payload = word & PAYLOAD_MASK;
        let mode = match (word >> PAYLOAD_BITS) & 3 {
            0 if payload == FORCED => Mode::ForcedClosed,
            0 => Mode::Closed { failures: payload },
            1 if payload == FORCED => Mode::ForcedOpen,
            1 => Mode::Open { until: payload },
            _ => {
                Mode::HalfOpen { in_flight: payload >> 30, successes: (payload >> 20) & COUNT_MASK, since: payload & SINCE_MASK }
            }
        };
        let generation = (word >> (PAYLOAD_BITS + 2)) as u32;
        Self { generation, mode }
    }
}

/// The generation after this one.
pub(crate) fn next(generation: u32) -> u32 {
    (generation + 1) & GENERATION_MASK
}

/// Whether a generation came after another, half a turn being the farthest that can be told.
pub(crate) fn is_newer(generation: u32, than: u32) -> bool {
    let ahead = generation.wrapping_sub(than) & GENERATION_MASK;
    ahead != 0 && ahead < 1 << (GENERATION_BITS - 1)
}
