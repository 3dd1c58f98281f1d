//! A service behind a rate limiter.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    limiter::RateLimiter,
    outcome::{Error, Rejection},
};

/// Puts services behind a rate limiter.
#[derive(Clone, Debug)]
pub struct RateLimitLayer {
    limiter: RateLimiter,
}

impl RateLimitLayer {
    /// A layer whose services share the limiter.
    pub fn new(limiter: RateLimiter) -> Self {
        Self { limiter }
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimitService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimitService { inner, limiter: self.limiter.clone() }
    }
}

/// A service behind a rate limiter. A request waits in its future, so who drops it takes no token along.
#[derive(Clone, Debug)]
pub struct RateLimitService<S> {
    inner: S,
    limiter: RateLimiter,
}

impl<S, Request> Service<Request> for RateLimitService<S>
where
    S: Service<Request> + Clone,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = RateLimitFuture<S, Request>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(Error::Inner)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if self.limiter.take_now(1) {
            return RateLimitFuture { state: State::Calling { call: self.inner.call(request) } };
        }
        // The one that is ready goes along; the one that stays is asked anew.
        let fresh = self.inner.clone();
        let service = mem::replace(&mut self.inner, fresh);
        let limiter = self.limiter.clone();
        let turn = Box::pin(async move { limiter.acquire_many(1).await });
        RateLimitFuture { state: State::Waiting { turn, parked: Some((service, request)) } }
    }
}

/// The wait for a token.
type Turn = Pin<Box<dyn Future<Output = Result<(), Rejection>> + Send>>;

pin_project! {
    /// A request behind a rate limiter.
    #[must_use = "futures do nothing unless polled"]
    pub struct RateLimitFuture<S: Service<Request>, Request> {
        #[pin]
        state: State<S, Request>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S: Service<Request>, Request> {
        Waiting { turn: Turn, parked: Option<(S, Request)> },
        Calling {
            #[pin]
            call: S::Future,
        },
    }
}

impl<S: Service<Request>, Request> Future for RateLimitFuture<S, Request> {
    type Output = Result<S::Response, Error<S::Error>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let call = match state.as_mut().project() {
                StateProjection::Calling { call } => return call.poll(context).map_err(Error::Inner),
                StateProjection::Waiting { turn, parked } => {
                    if let Err(rejection) = ready!(turn.as_mut().poll(context)) {
                        return Poll::Ready(Err(Error::Rejected(rejection)));
                    }
                    // It leaves together with this state, so it is there; a future that is polled after its end just stays.
                    let Some((mut service, request)) = parked.take() else { return Poll::Pending };
                    service.call(request)
                }
            };
            state.set(State::Calling { call });
        }
    }
}
