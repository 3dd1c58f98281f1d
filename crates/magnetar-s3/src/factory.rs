//! Clients of one service, each made alike.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use aws_sdk_s3::{
    Client, Config,
    config::{
        BehaviorVersion, HttpClient, Region, SharedCredentialsProvider, SharedIdentityCache, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
};
use magnetar_resilience::{ConnectionFactory, ResilienceError};
use tokio::runtime::Handle;

use crate::{
    acknowledged::Acknowledged, builder::S3Builder, config_error::S3ConfigError, connection::S3Connection, socket::Socket,
    transport::Transport,
};

/// Makes clients of one S3 service: the connections of a pool, or a client that opens sockets as it needs them.
///
/// Its clients do not retry, so that they do not multiply the retries around them. A request that cannot connect, or gets no answer, ends
/// after the timeouts of the [builder](S3Builder); how long the body of an answer takes is left to the timeout of an attempt.
///
/// ```
/// use std::{sync::Arc, time::Duration};
///
/// use magnetar_resilience::{Backoff, ByClass, CircuitBreaker, ConnectionPool, Policy, Retry};
/// use magnetar_s3::{Credentials, S3Error, S3Factory};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let s3 = S3Factory::builder("eu-central-1")
///     .endpoint("http://127.0.0.1:9000")
///     .credentials(Credentials::new("key", "secret", None, None, "example"))
///     .path_style()
///     .build()?;
/// let policy = Policy::builder()
///     .total_timeout(Duration::from_secs(30))
///     .retry(Retry::builder(Backoff::exponential(Duration::from_millis(100), Duration::from_secs(5))))
///     .breaker(Arc::new(CircuitBreaker::new_default()))
///     .pool(ConnectionPool::new_default(Arc::new(s3)))
///     .attempt_timeout(Duration::from_secs(10))
///     .build()?;
/// # let there_is_no_service_behind_a_documentation_test = async {
/// let object = policy
///     .run(&ByClass, |s3| async move {
///         let answer = s3.get_object().bucket("photos").key("a.jpg").send().await?;
///         Ok::<_, S3Error>(answer.body.collect().await?.to_vec())
///     })
///     .await?;
/// # Ok::<_, magnetar_resilience::Error<S3Error>>(object)
/// # };
/// # drop(there_is_no_service_behind_a_documentation_test);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct S3Factory {
    pub(crate) region: Region,
    pub(crate) endpoint: Option<String>,
    pub(crate) credentials: Option<SharedCredentialsProvider>,
    pub(crate) path_style: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) read_timeout: Duration,
    /// Shared, so that the provider is asked once and not by each client.
    pub(crate) identities: SharedIdentityCache,
}

impl S3Factory {
    /// The service of AWS in a region, unless [`endpoint`](S3Builder::endpoint) names another.
    pub fn builder(region: &str) -> S3Builder {
        S3Builder::new(region)
    }

    /// A client that opens as many sockets as it has requests at a time. Its clones share them.
    ///
    /// # Errors
    /// The HTTP client could not be made.
    pub fn client(&self) -> Result<Client, S3ConfigError> {
        Ok(self.client_over(self.transport().unbounded()?))
    }

    fn client_over(&self, http: impl HttpClient + 'static) -> Client {
        let timeouts = TimeoutConfig::builder().connect_timeout(self.connect_timeout).read_timeout(self.read_timeout);
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(self.region.clone())
            .force_path_style(self.path_style)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build())
            .interceptor(Acknowledged)
            .http_client(http);
        config.set_endpoint_url(self.endpoint.clone());
        let config = match &self.credentials {
            Some(provider) => config.credentials_provider(provider.clone()).identity_cache(self.identities.clone()),
            None => config.allow_no_auth(),
        };
        Client::from_conf(config.build())
    }

    fn transport(&self) -> Transport {
        Transport::of(self.endpoint.as_deref())
    }
}

#[async_trait]
impl ConnectionFactory<S3Connection> for S3Factory {
    /// Dials nothing: the first request does.
    async fn create(&self) -> Result<S3Connection, ResilienceError> {
        let (http, socket) = Socket::new(self.transport(), Handle::current())
            .map_err(|error| ResilienceError::ConnectionCreation(error.to_string()))?;
        Ok(S3Connection::new(self.client_over(http), socket))
    }

    /// It always is: a socket that broke is replaced by the next request, and a question would be a request itself.
    async fn is_healthy(&self, _: &S3Connection) -> bool {
        true
    }

    async fn close(&self, connection: S3Connection) {
        connection.close().await;
    }
}

/// Without the credentials.
impl fmt::Debug for S3Factory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("S3Factory");
        shown.field("region", &self.region).field("endpoint", &self.endpoint).field("path_style", &self.path_style);
        shown.field("connect_timeout", &self.connect_timeout).field("read_timeout", &self.read_timeout).finish_non_exhaustive()
    }
}
