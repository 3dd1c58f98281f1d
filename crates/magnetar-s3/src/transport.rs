//! What the sockets speak.

use aws_sdk_s3::error::BoxError;
use aws_smithy_http_client::{
    pool::{Client, ConnectionPool, HttpsBuilder},
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};

/// TLS or not. The TLS is rustls with ring.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Transport {
    /// TLS, with the roots that the system trusts.
    Tls,
    /// Nothing but HTTP.
    Plain,
}

impl Transport {
    /// What an endpoint asks for; AWS itself wants TLS.
    pub(crate) fn of(endpoint: Option<&str>) -> Self {
        match endpoint {
            Some(endpoint) if endpoint.starts_with("http://") => Self::Plain,
            _ => Self::Tls,
        }
    }

    /// An HTTP client that opens as many sockets as it has requests at a time.
    pub(crate) fn unbounded(self) -> Result<Client, BoxError> {
        Ok(Client::new(&self.builder().build_https()?)?)
    }

    /// The settings of an HTTP client. The builder is that of TLS for both: what it makes speaks without it too.
    pub(crate) fn builder(self) -> HttpsBuilder {
        let builder = ConnectionPool::builder().tls_provider(Provider::Rustls(CryptoMode::Ring));
        let roots = match self {
            Self::Tls => TrustStore::default(),
            // The certificates of the system need not be read, and need not exist.
            Self::Plain => TrustStore::empty(),
        };
        match TlsContext::builder().with_trust_store(roots).build() {
            Ok(context) => builder.tls_context(context),
            Err(_) => builder,
        }
    }
}
