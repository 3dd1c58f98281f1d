//! A server that speaks TLS, and whoever vouches for it.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::{Server, available, port};

/// An authority of a test's own.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// What a client trusts.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for these names, and its key.
    pub(crate) fn certify(&self, names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// A server with a port for TLS beside the plain one.
pub(crate) struct TlsServer {
    pub(crate) server: Server,
    pub(crate) tls_port: u16,
}

impl TlsServer {
    /// A server whose certificate is for these names. `more` are more words on its command line.
    pub(crate) fn new(authority: &Authority, names: &[&str], more: &[&str]) -> Option<Self> {
        available().then(|| Self::start(authority, names, more))
    }

    fn start(authority: &Authority, names: &[&str], more: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("magnetar-redis-").tempdir().unwrap().keep();
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let (certificate, key) = authority.certify(names);
        for (name, pem) in [("server.pem", &certificate), ("server.key", &key), ("ca.pem", &authority.pem)] {
            fs::write(path(name), pem).unwrap();
        }
        let tls_port = port::free();
        let port = tls_port.to_string();
        let (certificate, key, ca) = (path("server.pem"), path("server.key"), path("ca.pem"));
        let words = ["--save", "", "--tls-port", &port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
        let words = [&words[..], &["--tls-ca-cert-file", &ca], more].concat();
        Self { server: Server::build_in(folder, &words, None), tls_port }
    }

    pub(crate) fn url(&self) -> String {
        format!("rediss://127.0.0.1:{}", self.tls_port)
    }
}
