//! What is done to the processes of a round: they are killed, alone or all at once, and stopped for longer than they may be.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use magnetar_core::ErrorKind;

use super::Round;
use crate::kill::{
    engine::Engine,
    log::{Kind, Record},
    sys::Signal,
    verify::{When, verify},
    worker::SESSION_TTL,
};

impl Round<'_> {
    pub(super) fn let_go_on(&mut self) -> Result<()> {
        let now = Instant::now();
        for worker in &mut self.processes {
            // One that had died before it was to be stopped may be nobody's number any more.
            if worker.stopped_until.is_some_and(|until| until <= now) && worker.process.ended()?.is_none() {
                self.log.write(Record::of(Kind::Resumed, worker.process.number))?;
                worker.process.signal(Signal::Continue)?;
                worker.stopped_until = None;
                self.counts.add("resumes", 1);
            }
        }
        Ok(())
    }

    /// Kills one, or all, or stops one for longer than its session lives.
    pub(super) fn strike(&mut self) -> Result<()> {
        let victim = self.victim();
        let stops_in_thousand = if self.rig.engine == Engine::Sqlite { 80 } else { 15 };
        match self.rng.u32(0..1000) {
            draw if draw < stops_in_thousand => self.stop(victim),
            975.. => {
                let count = self.processes.len();
                for _ in 0..count {
                    self.kill(0)?;
                }
                self.after_a_death()?;
                (0..count).try_for_each(|_| self.start())
            }
            _ => {
                self.kill(victim)?;
                self.after_a_death()?;
                self.start()
            }
        }
    }

    /// Somebody who is not stopped, mostly: who is killed while stopped does not come back as a zombie.
    fn victim(&mut self) -> usize {
        let victim = self.rng.usize(0..self.processes.len());
        let is_stopped = |index: usize| self.processes.get(index).is_some_and(|worker| worker.stopped_until.is_some());
        if !is_stopped(victim) || self.rng.u32(0..8) == 0 {
            return victim;
        }
        (0..self.processes.len()).find(|index| !is_stopped(*index)).unwrap_or(victim)
    }

    fn kill(&mut self, index: usize) -> Result<()> {
        let mut worker = self.processes.remove(index);
        let status = worker.process.kill()?;
        if status.code().is_some() {
            // It came first. One that is ended because all is done is found by the others too.
            self.explain(&worker.process, status)?;
            return Ok(());
        }
        self.log.write(Record::of(Kind::Killed, worker.process.number))?;
        self.counts.add("kills", 1);
        Ok(())
    }

    fn stop(&mut self, index: usize) -> Result<()> {
        // About as long as its session lives: it comes back when others have just begun with what it held.
        let ttl = SESSION_TTL.mul_f64(0.9 + self.rng.f64() / 2.0);
        let Some(worker) = self.processes.get_mut(index) else { return Ok(()) };
        if worker.stopped_until.is_some() {
            return Ok(());
        }
        worker.process.signal(Signal::Stop)?;
        self.log.write(Record::of(Kind::Stopped, worker.process.number))?;
        worker.stopped_until = Some(Instant::now() + ttl);
        if self.rig.engine == Engine::Redb {
            // There is nobody else to go on meanwhile.
            self.wait_past_the_stop(ttl)?;
            self.let_go_on()?;
        }
        Ok(())
    }

    /// The one process of redb that is stopped has the store still, so nobody else gets it.
    fn wait_past_the_stop(&mut self, ttl: Duration) -> Result<()> {
        thread::sleep(ttl + Duration::from_millis(1));
        self.oracle.pull()?;
        let is_open = self.processes.first().is_some_and(|worker| self.oracle.opened.contains(&worker.process.number));
        if !is_open {
            return Ok(());
        }
        let error = match self.open() {
            Err(error) => error,
            // It had closed the store already, because nothing is open any more, or has died of poison.
            Ok(store) => {
                let is_over = verify(&*store, &mut self.oracle, When::During)?;
                let is_dead =
                    self.processes.first_mut().is_none_or(|worker| worker.process.ended().is_ok_and(|end| end.is_some()));
                ensure!(is_over || is_dead, "a stopped process had its store taken away\n{}", self.oracle.around(None));
                return Ok(());
            }
        };
        let kind = error.downcast_ref::<magnetar_core::Error>().map(magnetar_core::Error::kind);
        ensure!(kind == Some(ErrorKind::AlreadyOpen), "a stopped process has its store open, and another got: {error:#}");
        self.counts.add("refusals of a second open", 1);
        Ok(())
    }
}
