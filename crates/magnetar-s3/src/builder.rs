//! Which service, as whom, and for how long to wait.

use std::time::Duration;

use aws_sdk_s3::config::{IdentityCache, ProvideCredentials, Region, SharedCredentialsProvider};

use crate::{config_error::S3ConfigError, factory::S3Factory};

/// The settings of an [`S3Factory`].
#[derive(Clone, Debug)]
pub struct S3Builder {
    region: String,
    endpoint: Option<String>,
    credentials: Option<SharedCredentialsProvider>,
    path_style: bool,
    connect_timeout: Duration,
    read_timeout: Duration,
}

impl S3Builder {
    pub(crate) fn new(region: &str) -> Self {
        Self {
            region: region.to_owned(),
            endpoint: None,
            credentials: None,
            path_style: false,
            connect_timeout: Duration::from_secs(3),
            read_timeout: Duration::from_secs(20),
        }
    }

    /// Another service than AWS: a URL with `http` or `https`.
    #[must_use]
    pub fn endpoint(mut self, url: &str) -> Self {
        self.endpoint = Some(url.to_owned());
        self
    }

    /// Who asks: [`Credentials`](crate::Credentials), or a provider that knows them. Requests are anonymous unless told.
    #[must_use]
    pub fn credentials(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.credentials = Some(SharedCredentialsProvider::new(provider));
        self
    }

    /// The bucket goes into the path and not into the name of the host, as most services beside AWS want it.
    #[must_use]
    pub fn path_style(mut self) -> Self {
        self.path_style = true;
        self
    }

    /// How long a connection may take to come about, TLS included; 3 s unless told otherwise.
    #[must_use]
    pub fn connect_timeout(mut self, after: Duration) -> Self {
        self.connect_timeout = after;
        self
    }

    /// How long a request may take until the head of its answer is there, with the sending of its body; 20 s unless told otherwise. The body of
    /// the answer is not part of it.
    #[must_use]
    pub fn read_timeout(mut self, after: Duration) -> Self {
        self.read_timeout = after;
        self
    }

    /// The factory.
    ///
    /// # Errors
    /// A region that is empty, an endpoint that is no URL or has a password in it, a timeout of zero.
    pub fn build(self) -> Result<S3Factory, S3ConfigError> {
        if self.region.is_empty() {
            return Err(S3ConfigError::new("region", "must not be empty"));
        }
        self.endpoint.as_deref().map_or(Ok(()), check_endpoint)?;
        check_timeout("connect_timeout", self.connect_timeout)?;
        check_timeout("read_timeout", self.read_timeout)?;
        Ok(S3Factory {
            region: Region::new(self.region),
            endpoint: self.endpoint,
            credentials: self.credentials,
            path_style: self.path_style,
            connect_timeout: self.connect_timeout,
            read_timeout: self.read_timeout,
            identities: IdentityCache::lazy().build(),
        })
    }
}

/// The SDK would take anything, and complain at each request.
fn check_endpoint(url: &str) -> Result<(), S3ConfigError> {
    let complain = |problem| Err(S3ConfigError::new("endpoint", problem));
    let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) else {
        return complain("must begin with http:// or https://");
    };
    if rest.is_empty() || rest.starts_with(['/', ':']) {
        return complain("must name a host");
    }
    // Where a name and a password can stand, they would end in logs.
    if rest.contains(['@', '?', '#']) || rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return complain("must be scheme, host, port and path, without user, query and fragment");
    }
    Ok(())
}

fn check_timeout(setting: &'static str, after: Duration) -> Result<(), S3ConfigError> {
    if after.is_zero() {
        return Err(S3ConfigError::new(setting, "must be longer than zero"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(builder: S3Builder) -> &'static str {
        builder.build().unwrap_err().setting()
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        assert_eq!(refused(S3Builder::new("")), "region");
        assert_eq!(refused(S3Builder::new("r").connect_timeout(Duration::ZERO)), "connect_timeout");
        assert_eq!(refused(S3Builder::new("r").read_timeout(Duration::ZERO)), "read_timeout");
        for url in ["", "s3.example.org", "ftp://host", "http://", "https:///path", "http://:9000", "http://a b", "http://a\n"] {
            assert_eq!(refused(S3Builder::new("r").endpoint(url)), "endpoint", "{url:?}");
        }
    }

    #[test]
    fn settings_that_can_be_meant_are_taken() {
        for url in ["http://127.0.0.1:9000", "https://s3.example.org/base", "http://[::1]:9000"] {
            assert!(S3Builder::new("r").endpoint(url).build().is_ok(), "{url:?}");
        }
    }

    #[test]
    fn endpoint_with_a_secret_is_refused_and_not_repeated() {
        for url in ["http://user:CANARY@host", "http://host/?token=CANARY", "http://host/#CANARY"] {
            let error = S3Builder::new("r").endpoint(url).build().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
        }
    }
}
