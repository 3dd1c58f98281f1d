//! Transitions told in their order, outside every lock, each once.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::word::{Moved, next};

/// Each transition has one winner, but two winners may come here in the wrong order: whoever comes early leaves its news, and
/// the one whose turn it is tells them all.
#[derive(Debug)]
pub(crate) struct Bulletin {
    news: Mutex<News>,
}

#[derive(Debug)]
struct News {
    waiting: BTreeMap<u32, Moved>,
    next: u32,
    telling: bool,
}

impl Bulletin {
    pub(crate) fn new() -> Self {
        Self { news: Mutex::new(News { waiting: BTreeMap::new(), next: next(0), telling: false }) }
    }

    /// Hands in a transition, and tells what is due. A teller that transitions the breaker itself only hands in.
    pub(crate) fn post(&self, moved: Moved, tell: impl Fn(&Moved)) {
        {
            let mut news = self.news();
            news.waiting.insert(moved.to.generation, moved);
            if news.telling {
                return;
            }
            news.telling = true;
        }
        while let Some(moved) = self.due() {
            tell(&moved);
        }
    }

    fn due(&self) -> Option<Moved> {
        let mut news = self.news();
        let turn = news.next;
        let due = news.waiting.remove(&turn);
        match due {
            Some(_) => news.next = next(turn),
            None => news.telling = false,
        }
        due
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breaker::word::{Mode, Stamped};

    fn moved(generation: u32) -> Moved {
        Moved { from: Mode::ForcedOpen, to: Stamped { generation, mode: Mode::Closed { failures: 0 } } }
    }

    #[test]
    fn early_news_wait_for_their_turn() {
        let (bulletin, told) = (Bulletin::new(), Mutex::new(Vec::new()));
        let tell = |moved: &Moved| told.lock().unwrap().push(moved.to.generation);
        bulletin.post(moved(2), tell);
        bulletin.post(moved(3), tell);
        assert!(told.lock().unwrap().is_empty());
        bulletin.post(moved(1), tell);
        assert_eq!(*told.lock().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn news_made_while_telling_are_told_after() {
        let (bulletin, told) = (Bulletin::new(), Mutex::new(Vec::new()));
        bulletin.post(moved(1), |first| {
            told.lock().unwrap().push(first.to.generation);
            if first.to.generation == 1 {
                bulletin.post(moved(2), |_| unreachable!("the outer one tells"));
            }
        });
        assert_eq!(*told.lock().unwrap(), [1, 2]);
    }
}
