//! The oracle: what the log says, and what it may never say, whatever is in the store.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write,
    path::Path,
    sync::Arc,
};

use anyhow::{Result, bail};

use super::{
    log::{BADLY, Kind, Reader, Record},
    plan::{GRAPH, Plan},
};

/// The most records that a failure shows.
const SHOWN: usize = 40;

/// A chunk: its job and its id.
pub(crate) type Spot = (u16, u32);

/// What the log says of a chunk.
#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) tries: u64,
    pub(crate) effects: u64,
    pub(crate) fails: u64,
    pub(crate) returnings: u64,
    /// Attempts of which the log does not say how they ended.
    pub(crate) open: u64,
    /// The token under which it was accepted.
    pub(crate) accepted: Option<u64>,
    pub(crate) failed_for_good: bool,
    /// The largest token under which it was handed out.
    pub(crate) highest: u64,
    /// The token under which a child has seen it Done.
    seen_done: Option<u64>,
}

/// What the log says of an attempt.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) spot: Spot,
    pub(crate) worker: u32,
    thread: u8,
    pub(crate) has_effect: bool,
    /// Whether the chunk had been handed out anew before this attempt asked for its end.
    was_stale: bool,
    pub(crate) outcome: Option<Kind>,
}

/// All that the log says.
#[derive(Debug)]
pub(crate) struct Oracle {
    plan: Arc<Plan>,
    reader: Reader,
    records: Vec<Record>,
    pub(crate) stories: HashMap<Spot, Story>,
    pub(crate) attempts: BTreeMap<u64, Attempt>,
    /// The largest token that anybody was told.
    highest: u64,
    /// The largest token that anybody was told when this thread asked for its next claim.
    floors: HashMap<(u32, u8), u64>,
    pub(crate) inserted: BTreeSet<u16>,
    pub(crate) deleted: BTreeSet<u16>,
    pub(crate) opened: BTreeSet<u32>,
    pub(crate) ready: BTreeSet<u32>,
    /// Workers that are dead, by a kill of the rig or by their own hand.
    pub(crate) dead: BTreeSet<u32>,
    pub(crate) stops: u64,
    /// Workers that were stopped at least once.
    stopped: BTreeSet<u32>,
    pub(crate) losses: u64,
    /// Claims that were lost by workers who were never stopped.
    pub(crate) losses_of_the_living: u64,
    /// Versions of records that were put, by key.
    pub(crate) puts: BTreeMap<u32, u64>,
    /// Chunks that were marked.
    pub(crate) marks: BTreeSet<Spot>,
}

impl Oracle {
    pub(crate) fn new(plan: Arc<Plan>, log: &Path) -> Result<Self> {
        Ok(Self {
            plan,
            reader: Reader::open(log)?,
            records: Vec::new(),
            stories: HashMap::new(),
            attempts: BTreeMap::new(),
            highest: 0,
            floors: HashMap::new(),
            inserted: BTreeSet::new(),
            deleted: BTreeSet::new(),
            opened: BTreeSet::new(),
            ready: BTreeSet::new(),
            dead: BTreeSet::new(),
            stops: 0,
            stopped: BTreeSet::new(),
            losses: 0,
            losses_of_the_living: 0,
            puts: BTreeMap::new(),
            marks: BTreeSet::new(),
        })
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Reads what is new in the log, and holds it against all that was there before.
    ///
    /// # Errors
    /// What may not be, with the records around it.
    pub(crate) fn pull(&mut self) -> Result<()> {
        for record in self.reader.next()? {
            self.records.push(record);
            if let Err(offence) = self.note(record) {
                bail!("{offence}\n{}", self.around(Some((record.job, record.chunk))));
            }
        }
        Ok(())
    }

    /// The last records of the log, and before them those of a chunk and of its parents.
    pub(crate) fn around(&self, spot: Option<Spot>) -> String {
        let mut near: BTreeSet<Spot> = spot.into_iter().collect();
        if let Some((job, chunk)) = spot
            && let Some(chunk) = self.plan.chunk(job.into(), chunk.into())
        {
            let parents = chunk.parents.iter().copied();
            near.extend(parents.filter_map(|(job, chunk)| Some((u16::try_from(job).ok()?, u32::try_from(chunk).ok()?))));
        }
        let numbered = || self.records.iter().enumerate();
        let about: Vec<_> = numbered().filter(|(_, record)| near.contains(&(record.job, record.chunk))).collect();
        let last = numbered().skip(self.records.len().saturating_sub(SHOWN / 2));
        let mut text = String::from("the log said of it and before it:\n");
        for (number, record) in about.iter().skip(about.len().saturating_sub(SHOWN)) {
            let _ = writeln!(text, "  {number}: {record}");
        }
        text.push_str("and in the end:\n");
        for (number, record) in last {
            let _ = writeln!(text, "  {number}: {record}");
        }
        text
    }

    fn note(&mut self, record: Record) -> Result<(), String> {
        let Record { kind, worker, thread, job, chunk, token, .. } = record;
        match kind {
            Kind::Ready => drop(self.ready.insert(worker)),
            Kind::Opened => drop(self.opened.insert(worker)),
            Kind::Inserted => drop(self.inserted.insert(job)),
            Kind::Deleted => drop(self.deleted.insert(job)),
            Kind::Asked => drop(self.floors.insert((worker, thread), self.highest)),
            Kind::Tried => return self.tried(&record),
            Kind::Saw => return self.saw(&record),
            Kind::Effect => return self.effect(&record),
            Kind::Accepted | Kind::Failed | Kind::Returned | Kind::Lost => return self.ended(&record),
            Kind::Failing | Kind::Returning => return self.asks_for_end(&record),
            Kind::Killed | Kind::Poisoned => drop(self.dead.insert(worker)),
            Kind::Stopped => {
                self.stops += 1;
                self.stopped.insert(worker);
            }
            Kind::Put => drop(self.puts.insert(chunk, token)),
            Kind::Marked => drop(self.marks.insert((job, chunk))),
            Kind::Closed | Kind::Resumed => {}
        }
        Ok(())
    }

    fn tried(&mut self, record: &Record) -> Result<(), String> {
        let Record { worker, thread, job, chunk, token, .. } = *record;
        let spot = (job, chunk);
        // What was told before this claim was asked for is older, whoever was told.
        let floor = self.floors.get(&(worker, thread)).copied().unwrap_or_default();
        if token <= floor {
            return Err(format!("chunk {job}/{chunk} was handed out under token {token}, after token {floor} had been"));
        }
        self.check_parents(spot)?;
        let attempt = Attempt { spot, worker, thread, has_effect: false, was_stale: false, outcome: None };
        if self.attempts.insert(token, attempt).is_some() {
            return Err(format!("token {token} was given out twice"));
        }
        self.highest = self.highest.max(token);
        let story = self.stories.entry(spot).or_default();
        story.tries += 1;
        story.open += 1;
        story.highest = story.highest.max(token);
        match story.accepted {
            Some(accepted) if accepted < token => Err(format!(
                "chunk {job}/{chunk} was handed out under token {token}, and accepted under token {accepted} before it"
            )),
            _ => Ok(()),
        }
    }

    /// In the job that skips, a chunk runs only after the effect of each of its parents. In the other, a bad parent may have
    /// none.
    fn check_parents(&self, (job, chunk): Spot) -> Result<(), String> {
        if i64::from(job) != GRAPH {
            return Ok(());
        }
        let Some(plan) = self.plan.chunk(job.into(), chunk.into()) else { return Ok(()) };
        for (_, parent) in &plan.parents {
            let parent = u32::try_from(*parent).unwrap_or(u32::MAX);
            if self.stories.get(&(job, parent)).is_none_or(|story| story.effects == 0) {
                return Err(format!("chunk {job}/{chunk} ran before its parent {parent} did"));
            }
        }
        Ok(())
    }

    fn saw(&mut self, record: &Record) -> Result<(), String> {
        let (job, chunk) = record.parent();
        let child = format!("chunk {}/{}", record.job, record.chunk);
        match record.token {
            0 => return Err(format!("{child} ran before its parent {job}/{chunk} had ended")),
            BADLY if i64::from(record.job) == GRAPH => {
                return Err(format!("{child} ran although its parent {job}/{chunk} ended badly"));
            }
            BADLY => return Ok(()),
            _ => {}
        }
        let token = record.token;
        let had_effect = self.attempts.get(&token).is_some_and(|parent| parent.has_effect && parent.spot == (job, chunk));
        if !had_effect {
            return Err(format!("{child} saw its parent {job}/{chunk} done under token {token}, which had no effect"));
        }
        let story = self.stories.entry((job, chunk)).or_default();
        match (story.accepted, story.seen_done.replace(token)) {
            (Some(other), _) | (_, Some(other)) if other != token => {
                Err(format!("chunk {job}/{chunk} was done under token {other}, and later under token {token}"))
            }
            _ => Ok(()),
        }
    }

    /// The attempt that a record is about, which must be of the same thread and not have ended.
    fn attempt(&mut self, record: &Record) -> Result<&mut Attempt, String> {
        let attempt = self.attempts.get_mut(&record.token).ok_or_else(|| format!("there was no attempt for: {record}"))?;
        let is_own = (attempt.worker, attempt.thread, attempt.spot) == (record.worker, record.thread, (record.job, record.chunk));
        if !is_own || attempt.outcome.is_some() {
            return Err(format!("the rig is broken: {record}, but its attempt is {attempt:?}"));
        }
        Ok(attempt)
    }

    fn effect(&mut self, record: &Record) -> Result<(), String> {
        self.attempt(record)?.has_effect = true;
        self.stories.entry((record.job, record.chunk)).or_default().effects += 1;
        Ok(())
    }

    fn asks_for_end(&mut self, record: &Record) -> Result<(), String> {
        let story = self.stories.entry((record.job, record.chunk)).or_default();
        story.returnings += u64::from(record.kind == Kind::Returning);
        let is_stale = story.highest > record.token;
        self.attempt(record)?.was_stale = is_stale;
        Ok(())
    }

    fn ended(&mut self, record: &Record) -> Result<(), String> {
        let Record { kind, job, chunk, token, extra, .. } = *record;
        let attempt = self.attempt(record)?;
        attempt.outcome = Some(kind);
        let (has_effect, was_stale) = (attempt.has_effect, attempt.was_stale);
        let story = self.stories.entry((job, chunk)).or_default();
        story.open = story.open.saturating_sub(1);
        if kind == Kind::Lost {
            self.losses += 1;
            self.losses_of_the_living += u64::from(!self.stopped.contains(&record.worker));
            let was_done = story.seen_done == Some(token) || story.accepted == Some(token);
            return if was_done {
                Err(format!("chunk {job}/{chunk} was done under token {token}, which was then refused"))
            } else {
                Ok(())
            };
        }
        // A failure may be logged after the next attempt has begun, and even ended; a completion may not, because nothing comes
        // after it.
        let is_stale = was_stale || (kind == Kind::Accepted && story.highest > token);
        if is_stale {
            return Err(format!(
                "chunk {job}/{chunk}: {kind:?} of a stale token: {token}; it was handed out under {}",
                story.highest
            ));
        }
        if let Some(accepted) = story.accepted.filter(|accepted| kind == Kind::Accepted || *accepted <= token) {
            return Err(format!("chunk {job}/{chunk}: {kind:?} of token {token} after it was accepted under token {accepted}"));
        }
        match kind {
            Kind::Accepted => {
                story.accepted = Some(token);
                if !has_effect {
                    return Err(format!("chunk {job}/{chunk} was accepted under token {token}, which had no effect"));
                }
                if story.seen_done.is_some_and(|seen| seen != token) {
                    return Err(format!(
                        "chunk {job}/{chunk} was seen done under {:?}, and accepted under {token}",
                        story.seen_done
                    ));
                }
            }
            Kind::Failed => {
                story.fails += 1;
                story.failed_for_good |= extra != 0;
            }
            _ => {}
        }
        Ok(())
    }
}
