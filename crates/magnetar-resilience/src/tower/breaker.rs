//! A service under a circuit breaker.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    breaker::{CircuitBreaker, Permit},
    classify::{ByClass, Classifier},
    outcome::{Error, Rejection},
};

/// Puts services under a circuit breaker.
#[derive(Clone, Debug)]
pub struct CircuitBreakerLayer<C = ByClass> {
    breaker: Arc<CircuitBreaker>,
    classifier: Arc<C>,
}

impl CircuitBreakerLayer {
    /// A layer for services whose errors know their class.
    pub fn new(breaker: Arc<CircuitBreaker>) -> Self {
        Self::with_classifier(breaker, ByClass)
    }
}

impl<C> CircuitBreakerLayer<C> {
    /// A layer for services whose results the classifier judges.
    pub fn with_classifier(breaker: Arc<CircuitBreaker>, classifier: C) -> Self {
        Self { breaker, classifier: Arc::new(classifier) }
    }
}

impl<S, C> Layer<S> for CircuitBreakerLayer<C> {
    type Service = CircuitBreakerService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        CircuitBreakerService { inner, breaker: Arc::clone(&self.breaker), classifier: Arc::clone(&self.classifier) }
    }
}

/// A service under a circuit breaker.
#[derive(Debug)]
pub struct CircuitBreakerService<S, C = ByClass> {
    inner: S,
    breaker: Arc<CircuitBreaker>,
    classifier: Arc<C>,
}

impl<S: Clone, C> Clone for CircuitBreakerService<S, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), breaker: Arc::clone(&self.breaker), classifier: Arc::clone(&self.classifier) }
    }
}

impl<S, C, Request> Service<Request> for CircuitBreakerService<S, C>
where
    S: Service<Request>,
    C: Classifier<S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = CircuitBreakerFuture<S::Future, C>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(Error::Inner)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let state = match self.breaker.try_acquire_owned() {
            Ok(permit) => State::Admitted { call: self.inner.call(request), permit: Some(permit) },
            Err(rejection) => State::Refused { rejection },
        };
        CircuitBreakerFuture { state, classifier: Arc::clone(&self.classifier) }
    }
}

pin_project! {
    /// A request under a circuit breaker.
    #[must_use = "futures do nothing unless polled"]
    pub struct CircuitBreakerFuture<F, C> {
        #[pin]
        state: State<F>,
        classifier: Arc<C>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Admitted {
            #[pin]
            call: F,
            permit: Option<Permit<Arc<CircuitBreaker>>>,
        },
        Refused { rejection: Rejection },
    }
}

impl<F, C, T, E> Future for CircuitBreakerFuture<F, C>
where
    F: Future<Output = Result<T, E>>,
    C: Classifier<T, E>,
{
    type Output = Result<T, Error<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (call, place) = match this.state.project() {
            StateProjection::Admitted { call, permit } => (call, permit),
            StateProjection::Refused { rejection } => return Poll::Ready(Err(Error::Rejected(*rejection))),
        };
        // Held by this frame while the service runs, so that a panic of the service drops it and counts.
        let permit = place.take();
        let Poll::Ready(result) = call.poll(context) else {
            *place = permit;
            return Poll::Pending;
        };
        if let Some(permit) = permit {
            permit.record(this.classifier.verdict(&result));
        }
        Poll::Ready(result.map_err(Error::Inner))
    }
}
