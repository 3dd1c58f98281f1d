//! URLs of servers, and what of them may be shown.

use std::fmt;

use magnetar_state::StateError;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};

/// Where the servers are and how they work together.
#[derive(Clone)]
pub(crate) enum Topology {
    /// One server.
    Server(ConnectionInfo),
    /// Masters that share the keys; these are asked for the others.
    Cluster(Vec<ConnectionInfo>),
    /// One master at a time, which the sentinels name.
    Sentinel { sentinels: Vec<ConnectionInfo>, master: String, server: RedisConnectionInfo, tls: bool },
}

/// Reads a URL. A complaint does not repeat it: where a URL is not well-formed, anything in it may be the password.
pub(crate) fn parse(setting: &'static str, url: &str) -> Result<ConnectionInfo, StateError> {
    let complain = |problem: &str| Err(StateError::invalid(format!("the {setting} {problem}")));
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return complain("has white space in it; write what is special in a password as %20 and the like");
    }
    if url.ends_with("#insecure") {
        return complain("asks for TLS without looking at certificates; name who vouches for the server with root_certificates");
    }
    let Ok(info) = url.into_connection_info() else {
        return complain(
            "must be redis:// or rediss:// (TLS), then [user:password@]host[:port][/database]; it is not repeated here",
        );
    };
    Ok(info)
}

pub(crate) fn is_tls(address: &ConnectionAddr) -> bool {
    matches!(address, ConnectionAddr::TcpTls { .. })
}

impl Topology {
    /// Everything that must not be shown, as it is sent.
    pub(crate) fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        match self {
            Self::Server(info) => secrets.add(info.redis_settings()),
            Self::Cluster(nodes) => {
                for node in nodes {
                    secrets.add(node.redis_settings());
                }
            }
            Self::Sentinel { sentinels, server, .. } => {
                for sentinel in sentinels {
                    secrets.add(sentinel.redis_settings());
                }
                secrets.add(server);
            }
        }
        secrets
    }

    /// The nodes that were named.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &ConnectionAddr> {
        let nodes = match self {
            Self::Server(info) => std::slice::from_ref(info),
            Self::Cluster(nodes) | Self::Sentinel { sentinels: nodes, .. } => nodes.as_slice(),
        };
        nodes.iter().map(ConnectionInfo::addr)
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.addresses().any(is_tls) || matches!(self, Self::Sentinel { tls: true, .. })
    }

    pub(crate) fn has_credentials(&self) -> bool {
        !self.secrets().0.is_empty()
    }
}

/// Where it is, without who asks.
impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.addresses().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Server(_) => write!(f, "Redis at {nodes}"),
            Self::Cluster(_) => write!(f, "the Redis Cluster at {nodes}"),
            Self::Sentinel { master, .. } => write!(f, "the Redis master {master:?} of the sentinels at {nodes}"),
        }
    }
}

/// What must not be shown.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    fn add(&mut self, settings: &RedisConnectionInfo) {
        let found = [settings.password(), settings.username()].into_iter().flatten().filter(|secret| !secret.is_empty());
        self.0.extend(found.map(str::to_owned));
        // The longer first: one may be part of another.
        self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// A text of the server without them. It repeats what it was sent in some of its complaints.
    pub(crate) fn scrub(&self, text: &str) -> String {
        // What follows are the words of a command that it does not know, a token among them.
        let text = text.split(", with args beginning with").next().unwrap_or_default();
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "…"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_that_is_no_url_is_refused_and_not_repeated() {
        for url in [
            "",
            "CANARY",
            "http://:CANARY@host",
            "redis://:CANARY@",
            "redis://:CANARY@host:port",
            "redis://:CAN ARY@host",
            "redis//:CANARY@host",
            "redis://host/CANARY",
            "rediss://:CANARY@host/#insecure",
            "redis://:CANARY@host\n",
            "redis://host?protocol=CANARY",
            "redis://us/er:CANARY@host",
        ] {
            let error = parse("url", url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("ARY"), "{url:?}: {error}");
            assert!(matches!(error, StateError::Invalid { .. }), "{error:?}");
        }
    }

    #[test]
    fn place_is_shown_without_who_asks() {
        let topology = Topology::Server(parse("url", "redis://user:CANARY@10.0.0.1:7000/3").unwrap());
        assert_eq!(topology.to_string(), "Redis at 10.0.0.1:7000");
        assert!(topology.has_credentials());
    }

    #[test]
    fn secret_is_scrubbed_also_where_it_is_part_of_another() {
        let topology = Topology::Server(parse("url", "redis://CANARY:CANARY%2f2@host").unwrap());
        let said = topology.secrets().scrub("ERR CANARY/2 is not CANARY, with args beginning with: `token`");
        assert_eq!(said, "ERR … is not …");
    }
}
