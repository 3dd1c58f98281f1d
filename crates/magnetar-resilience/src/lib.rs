//! Circuit breaker, retry, connection pool and rate limiter, each alone or stacked.
