//! Who asks the sentinels for the master.

use std::sync::atomic::{AtomicUsize, Ordering};

use redis::{
    ConnectionInfo, RedisConnectionInfo, RedisResult, TlsCertificates, TlsMode,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};

use crate::address;

/// What is needed to ask, and to dial whom they name. A client is made for each question: one that is kept may hold on to a sentinel that is gone.
pub(super) struct Sentinels {
    pub(super) watchers: Vec<ConnectionInfo>,
    pub(super) master: String,
    pub(super) server: RedisConnectionInfo,
    pub(super) is_tls: bool,
    pub(super) certificates: Option<TlsCertificates>,
    /// How often they were asked.
    pub(super) asked: AtomicUsize,
}

impl Sentinels {
    /// Whoever asks them, another one first each time: they are asked in order, and one that is silent would use up the time of every dial.
    pub(super) fn client(&self) -> RedisResult<SentinelClient> {
        self.client_from(self.asked.fetch_add(1, Ordering::Relaxed) % self.watchers.len().max(1))
    }

    /// Settings that cannot be meant are told here and not at the first question.
    pub(super) fn check(&self) -> RedisResult<()> {
        self.client_from(0).map(drop)
    }

    fn client_from(&self, first: usize) -> RedisResult<SentinelClient> {
        let (late, early) = self.watchers.split_at(first);
        let addresses = early.iter().chain(late).map(|sentinel| sentinel.addr().clone());
        let builder = SentinelClientBuilder::new(addresses, &self.master, SentinelServerType::Master)?;
        self.of_sentinels(self.of_server(builder)).build()
    }

    fn of_server(&self, mut builder: SentinelClientBuilder) -> SentinelClientBuilder {
        builder = builder.set_client_to_redis_db(self.server.db()).set_client_to_redis_protocol(self.server.protocol());
        if let Some(username) = self.server.username() {
            builder = builder.set_client_to_redis_username(username);
        }
        if let Some(password) = self.server.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if self.is_tls {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        }
        match &self.certificates {
            Some(certificates) if self.is_tls => builder.set_client_to_redis_certificates(certificates.clone()),
            _ => builder,
        }
    }

    fn of_sentinels(&self, mut builder: SentinelClientBuilder) -> SentinelClientBuilder {
        // All have the same user, password and kind of connection; the builder of settings has seen to that.
        let Some(first) = self.watchers.first() else { return builder };
        if let Some(username) = first.redis_settings().username() {
            builder = builder.set_client_to_sentinel_username(username);
        }
        if let Some(password) = first.redis_settings().password() {
            builder = builder.set_client_to_sentinel_password(password);
        }
        match &self.certificates {
            Some(certificates) if address::is_tls(first.addr()) => {
                builder.set_client_to_sentinel_certificates(certificates.clone())
            }
            _ => builder,
        }
    }
}
