//! Answers that travel in a guard: what nobody receives is given back.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use magnetar_core::{Error, Result};

use crate::sync::{Mutex, lock};

/// What becomes of an answer that nobody receives.
pub(crate) trait Lost: Send {
    /// Gives it back.
    fn lost(self);
}

enum State<T> {
    Waiting(Option<Waker>),
    Here(Result<T>),
    /// The answer was received, or the receiver is gone.
    Over,
}

/// The end that answers, once. Dropped without an answer, it answers with the error it was made with.
pub(crate) struct Answerer<T: Lost> {
    slot: Arc<Mutex<State<T>>>,
    otherwise: fn() -> Error,
}

/// The end that waits.
pub(crate) struct Awaited<T: Lost> {
    slot: Arc<Mutex<State<T>>>,
}

/// Both ends of one answer.
pub(crate) fn answer<T: Lost>(otherwise: fn() -> Error) -> (Answerer<T>, Awaited<T>) {
    let slot = Arc::new(Mutex::new(State::Waiting(None)));
    (Answerer { slot: Arc::clone(&slot), otherwise }, Awaited { slot })
}

impl<T: Lost> Answerer<T> {
    /// Answers.
    pub(crate) fn send(self, answer: Result<T>) {
        self.put(answer);
    }

    fn put(&self, answer: Result<T>) {
        let mut state = lock(&self.slot);
        match std::mem::replace(&mut *state, State::Over) {
            State::Waiting(waker) => {
                *state = State::Here(answer);
                drop(state);
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            // It was answered before, and this is the drop that follows.
            State::Here(before) => *state = State::Here(before),
            State::Over => {
                drop(state);
                give_back(answer);
            }
        }
    }
}

impl<T: Lost> Drop for Answerer<T> {
    fn drop(&mut self) {
        if matches!(*lock(&self.slot), State::Waiting(_)) {
            self.put(Err((self.otherwise)()));
        }
    }
}

impl<T: Lost> Future for Awaited<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = lock(&self.slot);
        if let State::Here(answer) = std::mem::replace(&mut *state, State::Over) {
            return Poll::Ready(answer);
        }
        *state = State::Waiting(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl<T: Lost> Drop for Awaited<T> {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut *lock(&self.slot), State::Over);
        if let State::Here(answer) = state {
            give_back(answer);
        }
    }
}

fn give_back<T: Lost>(answer: Result<T>) {
    if let Ok(answer) = answer {
        answer.lost();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use futures_lite::future::{block_on, poll_once};
    use magnetar_core::ErrorKind;

    use super::*;

    struct Claim(Sender<()>);

    impl Lost for Claim {
        fn lost(self) {
            self.0.send(()).unwrap();
        }
    }

    fn gone() -> Error {
        Error::new(ErrorKind::Closed, "gone")
    }

    #[test]
    fn received_answer_is_not_given_back() {
        let (back, given) = channel();
        let (answerer, awaited) = answer(gone);
        answerer.send(Ok(Claim(back)));
        drop(block_on(awaited));
        assert!(given.try_recv().is_err());
    }

    #[test]
    fn answer_is_given_back_when_its_receiver_goes_before_or_after_it() {
        for is_before in [true, false] {
            let (back, given) = channel();
            let (answerer, mut awaited) = answer(gone);
            assert!(block_on(poll_once(&mut awaited)).is_none());
            let mut awaited = Some(awaited);
            if is_before {
                drop(awaited.take());
            }
            answerer.send(Ok(Claim(back)));
            drop(awaited);
            assert!(given.try_recv().is_ok(), "before: {is_before}");
        }
    }

    #[test]
    fn answerer_that_goes_answers_with_an_error() {
        let (answerer, awaited) = answer::<Claim>(gone);
        drop(answerer);
        assert_eq!(block_on(awaited).err().unwrap().kind(), ErrorKind::Closed);
    }
}
