//! What an error of Redis means: whether another try helps, and what it is to the caller.

use std::{error::Error as StdError, io, sync::Arc};

use magnetar_resilience::{Classifier, ErrorClass, Verdict};
use redis::{ErrorKind, RedisError};

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The connection did not come about or broke, or the answer took too long.
    Unreachable,
    /// The server is there and cannot serve now: it loads its files, has no master, or moves slots.
    NotReady,
    /// A script of somebody else keeps it.
    Busy,
    /// It is a replica, or cannot write its files.
    ReadOnly,
    /// It has no memory left.
    Full,
    /// The user or the password.
    Denied,
    /// The user is known and may not do that, or nobody may.
    Forbidden,
    /// Nobody that is trusted vouches for the server, or for us.
    Untrusted,
    /// A key is of another kind.
    WrongType,
    /// A counter is at its end.
    Overflow,
    /// Anything else that the server or the client said.
    Other,
}

/// Codes of answers, and what they mean. In versions before 7 those of a command within a script are in the text of the script's error.
const CODES: &[(&str, Trouble)] = &[
    ("LOADING", Trouble::NotReady),
    ("MASTERDOWN", Trouble::NotReady),
    ("CLUSTERDOWN", Trouble::NotReady),
    ("TRYAGAIN", Trouble::NotReady),
    // What is left of a redirect that led to a node that is down.
    ("MOVED", Trouble::NotReady),
    ("ASK", Trouble::NotReady),
    ("BUSY", Trouble::Busy),
    ("READONLY", Trouble::ReadOnly),
    ("MISCONF", Trouble::ReadOnly),
    ("NOREPLICAS", Trouble::ReadOnly),
    ("OOM", Trouble::Full),
    ("NOAUTH", Trouble::Denied),
    ("WRONGPASS", Trouble::Denied),
    ("NOPERM", Trouble::Forbidden),
    ("WRONGTYPE", Trouble::WrongType),
];

impl Trouble {
    pub(crate) fn of(error: &RedisError) -> Self {
        match error.kind() {
            ErrorKind::Io if is_untrusted(error) => Self::Untrusted,
            ErrorKind::Io | ErrorKind::Parse | ErrorKind::ClusterConnectionNotFound => Self::Unreachable,
            ErrorKind::AuthenticationFailed => Self::Denied,
            ErrorKind::MasterNameNotFoundBySentinel | ErrorKind::NoValidReplicasFoundBySentinel => Self::NotReady,
            _ => Self::of_answer(error.code().unwrap_or_default(), error.detail().unwrap_or_default()),
        }
    }

    fn of_answer(code: &str, detail: &str) -> Self {
        let find = |is_it: &dyn Fn(&str) -> bool| CODES.iter().find(|(code, _)| is_it(code)).map(|(_, trouble)| *trouble);
        if let Some(trouble) = find(&|known| known == code) {
            return trouble;
        }
        if detail.starts_with("unknown command") {
            return Self::Forbidden;
        }
        if detail.contains("would overflow") {
            return Self::Overflow;
        }
        if detail.contains("is not an integer") {
            return Self::WrongType;
        }
        let is_within = |known: &str| detail.split(|c: char| !c.is_ascii_uppercase()).any(|word| word == known);
        if code == "ERR" && detail.contains("@user_script") { find(&is_within).unwrap_or(Self::Other) } else { Self::Other }
    }

    /// Whether another try may help.
    ///
    /// Memory that is full stays full for longer than a call may take, and every writer that asks again makes it worse; so it is told at once, and
    /// the caller decides. A server that cannot write its files is the same.
    fn passes(self, code: &str) -> bool {
        match self {
            Self::Unreachable | Self::NotReady | Self::Busy => true,
            // Whoever was the master a moment ago may find the next one.
            Self::ReadOnly => !matches!(code, "MISCONF" | "NOREPLICAS"),
            Self::Full | Self::Denied | Self::Forbidden | Self::Untrusted | Self::WrongType | Self::Overflow | Self::Other => {
                false
            }
        }
    }
}

/// A certificate that was refused is an error of the connection like any other, but for what is at its bottom.
fn is_untrusted(error: &RedisError) -> bool {
    let shared = error.source().and_then(<dyn StdError>::downcast_ref::<Arc<dyn StdError + Send + Sync>>);
    let Some(io) = shared.and_then(|shared| shared.downcast_ref::<io::Error>()) else { return false };
    let tls = io.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(tls, Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_)))
}

/// Every call may be carried out twice: a write is known by its id, a lock by who takes it.
#[derive(Debug)]
pub(crate) struct ByTrouble;

impl<T> Classifier<T, RedisError> for ByTrouble {
    fn verdict(&self, result: &Result<T, RedisError>) -> Verdict {
        match result {
            Ok(_) => Verdict::Success,
            Err(error) if Trouble::of(error).passes(error.code().unwrap_or_default()) => Verdict::failure(ErrorClass::Transient),
            Err(_) => Verdict::failure(ErrorClass::Permanent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str, detail: &str) -> (Trouble, bool) {
        let trouble = Trouble::of_answer(code, detail);
        (trouble, trouble.passes(code))
    }

    #[test]
    fn only_what_may_pass_is_retried() {
        let cases = [
            ("LOADING", Trouble::NotReady, true),
            ("MASTERDOWN", Trouble::NotReady, true),
            ("CLUSTERDOWN", Trouble::NotReady, true),
            ("TRYAGAIN", Trouble::NotReady, true),
            ("BUSY", Trouble::Busy, true),
            ("READONLY", Trouble::ReadOnly, true),
            ("MISCONF", Trouble::ReadOnly, false),
            ("OOM", Trouble::Full, false),
            ("NOAUTH", Trouble::Denied, false),
            ("WRONGPASS", Trouble::Denied, false),
            ("NOPERM", Trouble::Forbidden, false),
            ("WRONGTYPE", Trouble::WrongType, false),
            ("ERR", Trouble::Other, false),
            ("NEVERHEARD", Trouble::Other, false),
        ];
        for (code, trouble, passes) in cases {
            assert_eq!(of(code, "whatever"), (trouble, passes), "{code}");
        }
    }

    #[test]
    fn code_within_the_error_of_a_script_is_found() {
        let wrapped = |inner: &str| format!("Error running script (call to f_1234): @user_script: 31: {inner}");
        assert_eq!(of("ERR", &wrapped("-READONLY You can't write against a read only replica.")), (Trouble::ReadOnly, true));
        assert_eq!(of("ERR", &wrapped("-OOM command not allowed when used memory > 'maxmemory'.")), (Trouble::Full, false));
        assert_eq!(of("ERR", &wrapped("something else")), (Trouble::Other, false));
        assert_eq!(of("ERR", "no script, and OOM is only a word"), (Trouble::Other, false));
    }

    #[test]
    fn counter_at_its_end_is_no_try_again() {
        assert_eq!(of("ERR", "increment or decrement would overflow"), (Trouble::Overflow, false));
        assert_eq!(of("ERR", "value is not an integer or out of range"), (Trouble::WrongType, false));
    }

    #[test]
    fn connection_that_breaks_is_retried_and_one_that_is_not_trusted_is_not() {
        let broken = RedisError::from(io::Error::from(io::ErrorKind::ConnectionReset));
        assert_eq!(Trouble::of(&broken), Trouble::Unreachable);
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let untrusted = RedisError::from(io::Error::new(io::ErrorKind::InvalidData, unknown));
        assert_eq!(Trouble::of(&untrusted), Trouble::Untrusted);
        assert!(!Trouble::Untrusted.passes(""));
    }
}
