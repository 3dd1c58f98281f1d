//! The audit of what belongs to no job: ids and names, records, sessions, and rows that nobody would look for.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use magnetar_core::{Audit, JobId};

use super::Auditor;
use crate::{
    backend::View,
    digest::{self, Digest},
    key::{self, JobNo},
    look,
    row::{Here, JobNoRow, JobRow, Meta, RecordRow, SessionRow, Tally},
    stop::Stop,
    table::Table,
};

/// The tables whose keys begin with a job.
const BY_JOB: [Table; 11] = [
    Table::Job,
    Table::Tally,
    Table::Chunk,
    Table::Body,
    Table::Key,
    Table::Ready,
    Table::Lease,
    Table::Child,
    Table::Parent,
    Table::Release,
    Table::Purge,
];

/// Looks at everything but the insides of jobs.
pub(crate) fn audit(view: &dyn View) -> Result<Audit, Stop> {
    let mut auditor = Auditor::new(view);
    let jobs = auditor.jobs()?;
    auditor.ids(&jobs)?;
    auditor.names(&jobs)?;
    auditor.each::<RecordRow>(Table::Record, &[], key::END, &mut |_, _, _| Ok(()))?;
    auditor.each::<SessionRow>(Table::Session, &[], key::END, &mut |_, _, _| Ok(()))?;
    auditor.strays(&jobs)?;
    auditor.digest()?;
    Ok(auditor.audit)
}

impl Auditor<'_> {
    /// The jobs by their inner numbers; each must have its counters.
    fn jobs(&mut self) -> Result<HashMap<JobNo, JobRow>, Stop> {
        let mut jobs = HashMap::new();
        self.each::<JobRow>(Table::Job, &[], key::END, &mut |_, row_key, row| {
            jobs.extend(key::parse_job(row_key).map(|no| (no, row)));
            Ok(())
        })?;
        for (no, job) in &jobs {
            let tally = look::get::<Tally>(self.view, Table::Tally, &key::job(*no));
            if self.sound(tally)? == Some(None) {
                self.problem(format!("job {} has lost its counters", job.id));
            }
        }
        Ok(jobs)
    }

    /// Each job must be found under its id, and under each id there must be a job.
    fn ids(&mut self, jobs: &HashMap<JobNo, JobRow>) -> Result<(), Stop> {
        let mut found: HashSet<JobNo> = HashSet::new();
        self.each::<JobNoRow>(Table::JobId, &[], key::END, &mut |auditor, row_key, no| {
            let id: Option<JobId> = key::parse_job_id(row_key);
            if jobs.get(&no).map(|job| job.id) != id {
                auditor.problem(format!("job {} is not there, but its id is", id.unwrap_or_default()));
            }
            found.insert(no);
            Ok(())
        })?;
        for (_, job) in jobs.iter().filter(|(no, _)| !found.contains(no)) {
            self.problem(format!("job {} is not found under its id", job.id));
        }
        Ok(())
    }

    fn names(&mut self, jobs: &HashMap<JobNo, JobRow>) -> Result<(), Stop> {
        let mut found: HashSet<JobNo> = HashSet::new();
        self.each::<JobNoRow>(Table::JobName, &[], key::END, &mut |auditor, row_key, no| {
            if jobs.get(&no).and_then(|job| job.name.as_deref()).map(str::as_bytes) != Some(row_key) {
                auditor.problem(format!("no job has the name \"{}\", which is taken", row_key.escape_ascii()));
            }
            found.insert(no);
            Ok(())
        })?;
        for (_, job) in jobs.iter().filter(|(no, job)| job.name.is_some() && !found.contains(no)) {
            self.problem(format!("job {} is not found under its name", job.id));
        }
        Ok(())
    }

    /// Rows of jobs that are neither there nor on their way out.
    fn strays(&mut self, jobs: &HashMap<JobNo, JobRow>) -> Result<(), Stop> {
        let mut known: HashSet<JobNo> = jobs.keys().copied().collect();
        self.each::<Here>(Table::Purge, &[], key::END, &mut |_, row_key, _| {
            known.extend(key::parse_job(row_key));
            Ok(())
        })?;
        for table in BY_JOB {
            let mut from = key::job(JobNo(0));
            loop {
                let first = self.first_job(table, &from);
                let Some(no) = self.sound(first)?.flatten() else { break };
                from = key::job_end(no);
                if !known.contains(&no) {
                    self.problem(format!("table {} has rows of a job that is not there (number {})", table.name(), no.0));
                }
                if from == key::job(no) {
                    break;
                }
            }
        }
        for table in [Table::Timer, Table::Deadline] {
            self.each::<Here>(table, &[], key::END, &mut |auditor, row_key, _| {
                if key::parse_due(row_key).is_none_or(|(_, spot)| !known.contains(&spot.job)) {
                    auditor.problem(format!("table {} has rows of a job that is not there", table.name()));
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The first job from a key on that has a row in a table.
    fn first_job(&self, table: Table, from: &[u8]) -> Result<Option<JobNo>, Stop> {
        let mut first = None;
        look::scan(self.view, table, from, key::END, &mut |row_key, _| {
            first = key::parse_job(row_key);
            ControlFlow::Break(())
        })?;
        Ok(first)
    }

    fn digest(&mut self) -> Result<(), Stop> {
        let mut digest = Digest::default();
        for table in digest::OF_STORE {
            self.add_up(&mut digest, table, &[], key::END)?;
        }
        let meta = look::get::<Meta>(self.view, Table::Meta, key::META);
        match self.sound(meta)? {
            Some(Some(meta)) if meta.digest == digest => {}
            Some(Some(_)) => self.problem(
                "ids of jobs, their names and the records do not add up to their digest: a row was lost, doubled, or is an old one"
                    .to_owned(),
            ),
            Some(None) => self.problem("the row of numbers that only grow is lost".to_owned()),
            None => {}
        }
        Ok(())
    }
}
