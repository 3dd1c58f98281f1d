//! The settings one by one, and which of them cannot be meant.

use std::{fmt, time::Duration};

use magnetar_state::StateError;
use redis::ConnectionInfo;

use super::RedisConfig;
use crate::{
    address::{self, Topology},
    dial::Trust,
    probe::RedisDurability,
};

/// How many connections a store may have at most.
const POOL_SIZE_MAX: usize = 1000;
/// How long a namespace may be, in bytes.
const NAMESPACE_BYTES_MAX: usize = 64;

/// The settings of a [`RedisConfig`].
#[derive(Clone)]
#[must_use]
pub struct RedisConfigBuilder {
    url: Option<String>,
    cluster: Vec<String>,
    sentinel: Option<(String, Vec<String>)>,
    trust: Trust,
    namespace: String,
    pool_size: usize,
    ttl: Option<Duration>,
    max_retries: usize,
    connection_timeout: Duration,
    response_timeout: Duration,
    total_timeout: Duration,
    require: RedisDurability,
    replicas: u64,
}

impl RedisConfigBuilder {
    pub(super) fn new() -> Self {
        Self {
            url: None,
            cluster: Vec::new(),
            sentinel: None,
            trust: Trust::default(),
            namespace: "magnetar".to_owned(),
            pool_size: 10,
            ttl: None,
            max_retries: 3,
            connection_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(30),
            require: RedisDurability::Unknown,
            replicas: 0,
        }
    }

    /// The server: `redis://[user:password@]host[:port][/database]`, `rediss://` with TLS, or `unix:///path`.
    ///
    /// With [`sentinel`](Self::sentinel) its host and port are not used: user, password, database and TLS are those of whichever server is the
    /// master.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// A Redis Cluster, by some of its nodes, which name the others. All have one user and password, and all have TLS or none has. Takes the
    /// place of [`url`](Self::url).
    ///
    /// The keys of one namespace lie in one slot and so on one master, because a write is one script over all of them.
    pub fn cluster<U: Into<String>>(mut self, nodes: impl IntoIterator<Item = U>) -> Self {
        self.cluster = nodes.into_iter().map(Into::into).collect();
        self
    }

    /// The master that goes by this name with these sentinels. It is asked for anew whenever a connection breaks or the server turns out to
    /// be a replica.
    ///
    /// A failover takes as long as the sentinels' `down-after-milliseconds` and then some: calls meanwhile fail as `Unavailable` unless
    /// [`max_retries`](Self::max_retries) and [`total_timeout`](Self::total_timeout) outlast it.
    pub fn sentinel<U: Into<String>>(mut self, master: impl Into<String>, sentinels: impl IntoIterator<Item = U>) -> Self {
        self.sentinel = Some((master.into(), sentinels.into_iter().map(Into::into).collect()));
        self
    }

    /// Who vouches for servers with TLS: certificates as PEM, in place of those that the machine trusts.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.trust.roots = Some(pem.into());
        self
    }

    /// Who the client is, for servers with TLS that ask: its certificate and its private key as PEM.
    pub fn client_certificate(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.trust.client = Some((certificate.into(), key.into()));
        self
    }

    /// What the keys of this store begin with; "magnetar" unless told otherwise. Stores with different ones know nothing of each other. Up to
    /// 64 letters, digits, `.`, `_` and `-`.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// How many connections the store has at most; 10 unless told otherwise, at most 1000.
    ///
    /// Each takes any number of commands at a time. A command goes to the connection with the fewest commands on their way, and one
    /// more is dialled only when all that are there are busy: a program that makes one call after another has one. With a Cluster each is one
    /// connection to each node.
    pub fn pool_size(mut self, connections: usize) -> Self {
        self.pool_size = connections;
        self
    }

    /// How long a token lives that is saved without a time of its own; for ever unless told. In milliseconds, rounded up.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// How many times a call is tried again where that can help; 3 unless told otherwise, 0 for never. The waits between grow from 50 ms to 2 s
    /// and are drawn at random.
    pub fn max_retries(mut self, retries: usize) -> Self {
        self.max_retries = retries;
        self
    }

    /// How long a connection may take to come about, with TLS, the password and what the sentinels are asked; 5 s unless told otherwise.
    pub fn connection_timeout(mut self, after: Duration) -> Self {
        self.connection_timeout = after;
        self
    }

    /// How long an answer may take; 5 s unless told otherwise.
    pub fn response_timeout(mut self, after: Duration) -> Self {
        self.response_timeout = after;
        self
    }

    /// How long a call may take with all its tries and waits; 30 s unless told otherwise.
    pub fn total_timeout(mut self, after: Duration) -> Self {
        self.total_timeout = after;
        self
    }

    /// How durable the server must be: [`RedisStore::new`](crate::RedisStore::new) and `health` refuse one that is less so, or does not tell.
    /// Anything is accepted unless told.
    pub fn require(mut self, least: RedisDurability) -> Self {
        self.require = least;
        self
    }

    /// How many replicas must have a change before it is acknowledged; none unless told otherwise. A server that has fewer is refused as
    /// [`require`](Self::require) refuses.
    ///
    /// Replicas that do not confirm within half of the [`response_timeout`](Self::response_timeout) make a call `Unavailable` although its change has
    /// happened: send it again with its write id, and it waits again. Meanwhile other calls on the same connection wait too. It makes it likely
    /// and not certain that a change survives a failover: the sentinels may choose a replica that has not confirmed. Not with a
    /// [`cluster`](Self::cluster).
    pub fn replicas(mut self, count: u64) -> Self {
        self.replicas = count;
        self
    }

    /// The settings.
    ///
    /// # Errors
    /// `Invalid` for what cannot be meant: no server or more than one kind of them, a URL that is none, a pool of 0, a time of nothing, a namespace
    /// with other characters. The complaint names the setting and does not repeat a URL.
    pub fn build(self) -> Result<RedisConfig, StateError> {
        let topology = self.topology()?;
        let namespace_fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.namespace.is_empty() || self.namespace.len() > NAMESPACE_BYTES_MAX || !self.namespace.chars().all(namespace_fits)
        {
            return complain("namespace must be 1 to 64 letters, digits, '.', '_' and '-'");
        }
        if self.pool_size == 0 || self.pool_size > POOL_SIZE_MAX {
            return complain("pool_size must be 1 to 1000");
        }
        for (setting, time) in [
            ("ttl", self.ttl.unwrap_or(Duration::MAX)),
            ("connection_timeout", self.connection_timeout),
            ("response_timeout", self.response_timeout),
            ("total_timeout", self.total_timeout),
        ] {
            if time.is_zero() {
                return complain(&format!("{setting} must be longer than nothing"));
            }
        }
        if self.replicas > 0 && matches!(topology, Topology::Cluster(_)) {
            return complain("replicas cannot be waited for in a cluster");
        }
        if !topology.is_tls() && self.trust.is_told() {
            return complain("there are certificates and no rediss:// in the url: nothing would be encrypted");
        }
        Ok(RedisConfig {
            topology,
            trust: self.trust,
            namespace: self.namespace,
            pool_size: self.pool_size,
            ttl: self.ttl,
            max_retries: self.max_retries,
            connection_timeout: self.connection_timeout,
            response_timeout: self.response_timeout,
            total_timeout: self.total_timeout,
            require: self.require,
            replicas: self.replicas,
        })
    }

    fn topology(&self) -> Result<Topology, StateError> {
        let server = self.url.as_deref().map(|url| address::parse("url", url)).transpose()?;
        match (server, &self.sentinel, self.cluster.is_empty()) {
            (Some(server), None, true) => Ok(Topology::Server(server)),
            (None, None, false) => Ok(Topology::Cluster(parse_all("url of a node of the cluster", &self.cluster)?)),
            (server, Some((master, sentinels)), true) => sentinel(server.as_ref(), master, sentinels),
            (None, None, true) => complain("the url is missing"),
            (Some(_), None, false) => complain("there is a url and a cluster; the nodes of the cluster are enough"),
            (_, Some(_), false) => complain("there are sentinels and a cluster; a Cluster has no sentinels"),
        }
    }
}

fn sentinel(server: Option<&ConnectionInfo>, master: &str, sentinels: &[String]) -> Result<Topology, StateError> {
    if master.is_empty() || sentinels.is_empty() {
        return complain("sentinel needs the name of a master and the url of one sentinel or more");
    }
    Ok(Topology::Sentinel {
        sentinels: parse_all("url of a sentinel", sentinels)?,
        master: master.to_owned(),
        server: server.map(|server| server.redis_settings().clone()).unwrap_or_default(),
        tls: server.is_some_and(|server| address::is_tls(server.addr())),
    })
}

fn parse_all(setting: &'static str, urls: &[String]) -> Result<Vec<ConnectionInfo>, StateError> {
    let nodes = urls.iter().map(|url| address::parse(setting, url)).collect::<Result<Vec<_>, _>>()?;
    let who = |node: &ConnectionInfo| {
        let settings = node.redis_settings();
        (settings.username().map(str::to_owned), settings.password().map(str::to_owned), address::is_tls(node.addr()))
    };
    if nodes.windows(2).any(|pair| matches!(pair, [one, other] if who(one) != who(other))) {
        return complain("all nodes must have the same user and password, and all TLS or none");
    }
    Ok(nodes)
}

fn complain<T>(problem: &str) -> Result<T, StateError> {
    Err(StateError::invalid(problem))
}

/// Without the URLs, which are not even known to be some.
impl fmt::Debug for RedisConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfigBuilder")
            .field("namespace", &self.namespace)
            .field("pool_size", &self.pool_size)
            .field("ttl", &self.ttl)
            .field("max_retries", &self.max_retries)
            .field("connection_timeout", &self.connection_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("total_timeout", &self.total_timeout)
            .field("require", &self.require)
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "redis://user:CANARY@host";

    #[track_caller]
    fn refused(builder: RedisConfigBuilder, word: &str) {
        let error = builder.build().unwrap_err();
        assert!(matches!(error, StateError::Invalid { .. }), "{error:?}");
        assert!(error.to_string().contains(word), "{error}");
        assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let config = RedisConfig::builder().url("redis://host").build().unwrap();
        assert_eq!((config.pool_size, config.max_retries, config.connection_timeout), (10, 3, Duration::from_secs(5)));
        assert_eq!((config.ttl, config.require), (None, RedisDurability::Unknown));
    }

    #[test]
    fn setting_that_cannot_be_meant_is_named() {
        let builder = || RedisConfig::builder().url(URL);
        refused(RedisConfig::builder(), "url");
        refused(RedisConfig::builder().url("CANARY"), "url");
        refused(builder().pool_size(0), "pool_size");
        refused(builder().pool_size(1001), "pool_size");
        refused(builder().ttl(Duration::ZERO), "ttl");
        refused(builder().connection_timeout(Duration::ZERO), "connection_timeout");
        refused(builder().response_timeout(Duration::ZERO), "response_timeout");
        refused(builder().total_timeout(Duration::ZERO), "total_timeout");
        for namespace in ["", "a:b", "{a}", "ä", "a b", &"n".repeat(65)] {
            refused(builder().namespace(namespace), "namespace");
        }
        refused(builder().cluster([URL]), "cluster");
        refused(RedisConfig::builder().cluster([URL, "redis://other"]), "same user");
        refused(RedisConfig::builder().cluster([URL]).sentinel("m", [URL]), "no sentinels");
        refused(RedisConfig::builder().sentinel("", [URL]), "name of a master");
        refused(RedisConfig::builder().sentinel("m", Vec::<String>::new()), "one sentinel");
        refused(RedisConfig::builder().cluster([URL]).replicas(1), "replicas");
        refused(builder().root_certificates("pem"), "nothing would be encrypted");
    }

    #[test]
    fn debug_of_settings_shows_no_credentials() {
        let sentinel = RedisConfig::builder().url(URL).sentinel("m", ["redis://:CANARY@s"]);
        for builder in [
            RedisConfig::builder().url(URL),
            RedisConfig::builder().url("CANARY"),
            RedisConfig::builder().cluster([URL]),
            sentinel,
        ] {
            assert!(!format!("{builder:?} {builder:#?}").contains("CANARY"), "{builder:?}");
            if let Ok(config) = builder.build() {
                assert!(!format!("{config:?} {config:#?}").contains("CANARY"), "{config:?}");
            }
        }
    }

    #[test]
    fn debug_of_settings_shows_no_private_key() {
        let builder =
            RedisConfig::builder().url("rediss://host").client_certificate("CANARY", "CANARY").root_certificates("CANARY");
        assert!(!format!("{builder:?} {:?}", builder.clone().build().unwrap()).contains("CANARY"));
    }
}
