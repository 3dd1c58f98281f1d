//! A service whose requests are tried again.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    backoff::Pace,
    classify::{ByClass, Classifier, ErrorClass, Verdict},
    clock::Sleep,
    observe::RetryStop,
    outcome::{Error, Phase},
    retry::{Deadline, Limit, Paid, Retry},
};

/// Tries requests again.
#[derive(Clone, Debug)]
pub struct RetryLayer<C = ByClass> {
    retry: Arc<Retry>,
    classifier: Arc<C>,
}

impl RetryLayer {
    /// A layer for services whose errors know their class.
    pub fn new(retry: Arc<Retry>) -> Self {
        Self::with_classifier(retry, ByClass)
    }
}

impl<C> RetryLayer<C> {
    /// A layer for services whose results the classifier judges.
    pub fn with_classifier(retry: Arc<Retry>, classifier: C) -> Self {
        Self { retry, classifier: Arc::new(classifier) }
    }
}

impl<S, C> Layer<S> for RetryLayer<C> {
    type Service = RetryService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        RetryService { inner, retry: Arc::clone(&self.retry), classifier: Arc::clone(&self.classifier) }
    }
}

/// A service whose requests are tried again. A request is cloned for each attempt: a body that can be read only once must not be in it.
#[derive(Debug)]
pub struct RetryService<S, C = ByClass> {
    inner: S,
    retry: Arc<Retry>,
    classifier: Arc<C>,
}

impl<S: Clone, C> Clone for RetryService<S, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), retry: Arc::clone(&self.retry), classifier: Arc::clone(&self.classifier) }
    }
}

impl<S, C, Request> Service<Request> for RetryService<S, C>
where
    S: Service<Request> + Clone,
    C: Classifier<S::Response, S::Error>,
    Request: Clone,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = RetryFuture<S, C, Request>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(Error::Inner)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let limit = self.retry.begin();
        let call = self.inner.call(request.clone());
        let timer = Timer::start(&self.retry, limit);
        RetryFuture {
            retry: Arc::clone(&self.retry),
            classifier: Arc::clone(&self.classifier),
            service: self.inner.clone(),
            request,
            limit,
            pace: Pace::default(),
            attempts: 1,
            last: None,
            state: State::Calling { call, timer },
        }
    }
}

pin_project! {
    /// A request that is tried again.
    #[must_use = "futures do nothing unless polled"]
    pub struct RetryFuture<S: Service<Request>, C, Request> {
        retry: Arc<Retry>,
        classifier: Arc<C>,
        service: S,
        request: Request,
        limit: Limit,
        pace: Pace,
        attempts: usize,
        // How the attempt before the one under way ended.
        last: Option<Result<S::Response, Error<S::Error>>>,
        #[pin]
        state: State<S::Future>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Calling {
            #[pin]
            call: F,
            timer: Option<Timer>,
        },
        Sleeping { sleep: Sleep, paid: Option<Paid> },
        // The service is asked whether it is ready again, no longer than until the deadline.
        Preparing { paid: Option<Paid>, timer: Option<Sleep> },
    }
}

/// What bounds the attempt under way.
struct Timer {
    sleep: Sleep,
    ends: Deadline,
    phase: Phase,
}

impl Timer {
    fn start(retry: &Retry, limit: Limit) -> Option<Self> {
        let (ends, phase) = limit.ends(&*retry.clock)?;
        Some(Self { sleep: retry.clock.sleep_until(ends.at), ends, phase })
    }
}

impl<S, C, Request> Future for RetryFuture<S, C, Request>
where
    S: Service<Request>,
    C: Classifier<S::Response, S::Error>,
    Request: Clone,
{
    type Output = Result<S::Response, Error<S::Error>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Calling { call, timer } => {
                    let (result, verdict) = ready!(attempt(call, timer, &**this.classifier, context));
                    if *this.attempts == 1 {
                        this.retry.deposit(verdict);
                    }
                    let Verdict::Failure { class, retry_after } = verdict else { return Poll::Ready(result) };
                    // One of our own parts refused meanwhile: what really went wrong is the failure before.
                    if class == ErrorClass::Rejected
                        && let Some(last) = this.last.take()
                    {
                        return Poll::Ready(this.retry.stopped(*this.attempts - 1, RetryStop::Rejected, last));
                    }
                    match this.retry.pay(*this.attempts, (class, retry_after), *this.limit, || false, this.pace) {
                        Ok(paid) => {
                            *this.last = Some(result);
                            let due = this.retry.clock.now().saturating_add(paid.delay);
                            State::Sleeping { sleep: this.retry.clock.sleep_until(due), paid: Some(paid) }
                        }
                        Err(why) => return Poll::Ready(this.retry.stopped(*this.attempts, why, result)),
                    }
                }
                StateProjection::Sleeping { sleep, paid } => {
                    ready!(sleep.as_mut().poll(context));
                    let timer = this.limit.deadline.map(|deadline| this.retry.clock.sleep_until(deadline.at));
                    State::Preparing { paid: paid.take(), timer }
                }
                StateProjection::Preparing { paid, timer } => {
                    match this.service.poll_ready(context) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(error)) => {
                            let unready = Err(Error::Inner(error));
                            return Poll::Ready(this.retry.stopped(*this.attempts, RetryStop::NotRetryable, unready));
                        }
                        Poll::Pending => {
                            let Some(timer) = timer else { return Poll::Pending };
                            ready!(timer.as_mut().poll(context));
                            // It leaves together with this state, so it is there.
                            let Some(last) = this.last.take() else { return Poll::Pending };
                            drop(paid.take());
                            return Poll::Ready(this.retry.stopped(*this.attempts, RetryStop::Deadline, last));
                        }
                    }
                    if let Some(paid) = paid.take() {
                        paid.spend();
                    }
                    *this.attempts += 1;
                    let call = this.service.call(this.request.clone());
                    State::Calling { call, timer: Timer::start(this.retry, *this.limit) }
                }
            };
            this.state.set(next);
        }
    }
}

/// What an attempt returned, or that its time is over; and what that means.
type Judged<T, E> = (Result<T, Error<E>>, Verdict);

fn attempt<T, E, F, C>(
    call: Pin<&mut F>,
    timer: &mut Option<Timer>,
    classifier: &C,
    context: &mut Context<'_>,
) -> Poll<Judged<T, E>>
where
    F: Future<Output = Result<T, E>>,
    C: Classifier<T, E>,
{
    if let Poll::Ready(result) = call.poll(context) {
        let verdict = classifier.verdict(&result);
        return Poll::Ready((result.map_err(Error::Inner), verdict));
    }
    let Some(Timer { sleep, ends, phase }) = timer else { return Poll::Pending };
    ready!(sleep.as_mut().poll(context));
    let error = Error::Timeout { phase: *phase, after: ends.after };
    Poll::Ready((Err(error), Verdict::failure(ErrorClass::Transient)))
}
