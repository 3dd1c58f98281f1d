//! How a connection comes about: to a server, to whoever is the master, or to a Cluster.

mod sentinel;

use std::{fmt, sync::atomic::AtomicUsize, time::Duration};

use magnetar_state::StateError;
use redis::{
    Client, ClientTlsConfig, Cmd, RedisResult, TlsCertificates, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo},
};
use rustls::crypto::{CryptoProvider, ring};
use tokio::time::timeout;

use self::sentinel::Sentinels;
use crate::{address::Topology, config::RedisConfig};

/// How often a command in a Cluster follows its slot to another node.
const REDIRECTS_MAX: u32 = 5;
/// The longest wait before it does, in milliseconds.
const REDIRECT_WAIT_MS: u64 = 200;

/// Who vouches for the server, and for the client.
#[derive(Clone, Default)]
pub(crate) struct Trust {
    pub(crate) roots: Option<Vec<u8>>,
    pub(crate) client: Option<(Vec<u8>, Vec<u8>)>,
}

impl Trust {
    pub(crate) fn is_told(&self) -> bool {
        self.roots.is_some() || self.client.is_some()
    }

    /// None where nothing was told: then the machine's own are used.
    fn certificates(&self) -> Option<TlsCertificates> {
        let client_tls = self.client.clone().map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
        self.is_told().then(|| TlsCertificates { client_tls, root_cert: self.roots.clone() })
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roots = if self.roots.is_some() { "as told" } else { "those of the machine" };
        f.debug_struct("Trust").field("roots", &roots).field("client_certificate", &self.client.is_some()).finish()
    }
}

/// Makes connections, each like the other.
pub(crate) struct Dialer {
    target: Target,
    connection_timeout: Duration,
    response_timeout: Duration,
}

enum Target {
    Server(Box<Client>),
    Cluster(Box<ClusterClient>),
    Sentinel(Box<Sentinels>),
}

impl Dialer {
    pub(crate) fn new(config: &RedisConfig) -> Result<Self, StateError> {
        let target = Target::new(config).map_err(|error| {
            // Nothing was sent yet: it complains about certificates that are none.
            StateError::invalid(config.topology.secrets().scrub(&error.to_string()))
        })?;
        Ok(Self { target, connection_timeout: config.connection_timeout, response_timeout: config.response_timeout })
    }

    /// Dials within the time that a connection may take.
    pub(crate) async fn dial(&self) -> RedisResult<Socket> {
        let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, "the connection did not come about in time");
        timeout(self.connection_timeout, self.target.dial(self.connection_timeout, self.response_timeout))
            .await
            .map_err(|_| late())?
    }

    pub(crate) fn is_one_server(&self) -> bool {
        matches!(self.target, Target::Server(_))
    }

    /// Whether another server may be the right one when this one does not answer, or does not write.
    pub(crate) fn may_move(&self) -> bool {
        matches!(self.target, Target::Sentinel(_))
    }
}

impl Target {
    fn new(config: &RedisConfig) -> RedisResult<Self> {
        let certificates = config.trust.certificates();
        if config.topology.is_tls() {
            choose_provider();
        }
        Ok(match &config.topology {
            Topology::Server(info) => Self::Server(Box::new(match certificates {
                Some(certificates) => Client::build_with_tls(info.clone(), certificates)?,
                None => Client::open(info.clone())?,
            })),
            Topology::Cluster(nodes) => {
                let builder = ClusterClient::builder(nodes.clone())
                    .connection_timeout(config.connection_timeout)
                    .response_timeout(config.response_timeout)
                    .overall_response_timeout(None)
                    .retries(REDIRECTS_MAX)
                    .max_retry_wait(REDIRECT_WAIT_MS);
                Self::Cluster(Box::new(match certificates {
                    Some(certificates) => builder.certs(certificates).build()?,
                    None => builder.build()?,
                }))
            }
            Topology::Sentinel { sentinels, master, server, tls } => {
                let (watchers, master, server) = (sentinels.clone(), master.clone(), server.clone());
                let sentinels = Sentinels { watchers, master, server, is_tls: *tls, certificates, asked: AtomicUsize::new(0) };
                sentinels.check()?;
                Self::Sentinel(Box::new(sentinels))
            }
        })
    }

    async fn dial(&self, connection_timeout: Duration, response_timeout: Duration) -> RedisResult<Socket> {
        let client = match self {
            Self::Server(client) => client.as_ref().clone(),
            Self::Sentinel(sentinels) => sentinels.client()?.async_get_client().await?,
            Self::Cluster(client) => return Ok(Socket::Cluster(client.get_async_connection().await?)),
        };
        // It dials again by itself when a connection breaks, once: whether to try more often is decided above, in one place.
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(connection_timeout))
            .set_response_timeout(Some(response_timeout))
            .set_number_of_retries(0);
        Ok(Socket::Server(ConnectionManager::new_with_config(client, config).await?))
    }
}

/// TLS panics where no provider of cryptography was chosen and features do not choose one. A choice of the program stands.
fn choose_provider() {
    if CryptoProvider::get_default().is_none() {
        // Where another thread was faster, its choice stands too.
        let _ = ring::default_provider().install_default();
    }
}

/// A connection that any number of commands share.
#[derive(Clone)]
pub(crate) enum Socket {
    Server(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Socket {
    /// Sends a command; in a Cluster to the node that has its first key.
    pub(crate) async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Server(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => command.query_async(connection).await,
        }
    }

    /// Sends a command and a wait for it, in one go over one connection: the server waits for what this connection has written. How the command
    /// ended, and how the wait.
    pub(crate) async fn send_and_wait(&mut self, command: &Cmd, wait: &Cmd) -> RedisResult<(Value, u64)> {
        let mut both = redis::pipe();
        both.add_command(command.clone()).add_command(wait.clone()).ignore_errors();
        let (answer, count): (RedisResult<Value>, RedisResult<u64>) = match self {
            Self::Server(connection) => both.query_async(connection).await?,
            Self::Cluster(connection) => both.query_async(connection).await?,
        };
        Ok((answer?, count?))
    }

    /// Sends a command without keys; in a Cluster to every master. An answer each, by its address.
    pub(crate) async fn send_to_all(&mut self, command: &Cmd) -> RedisResult<Vec<(String, Value)>> {
        match self {
            Self::Server(connection) => Ok(vec![(String::new(), command.query_async(connection).await?)]),
            Self::Cluster(connection) => {
                let to_all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
                Ok(redis::from_redis_value(connection.route_command(command.clone(), to_all).await?.extract_error()?)?)
            }
        }
    }
}
