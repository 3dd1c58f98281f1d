//! An S3 server with its objects in a temporary folder.

use std::{fs, net::SocketAddr};

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::background::Background;

pub(crate) const BUCKET: &str = "photos";
pub(crate) const KEY: &str = "AKIAEXAMPLE";
pub(crate) const SECRET: &str = "CANARY-of-the-secret-key";

/// The server. It ends with this value.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _running: Background,
    _folder: TempDir,
}

impl Server {
    /// Starts it, with one empty bucket and one user.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let running = Background::start("s3-server", move || serve(listener, service));
        Self { address, _running: running, _folder: folder }
    }
}

async fn serve(listener: std::net::TcpListener, service: S3Service) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service.clone());
        tokio::spawn(async move {
            // Clients and the proxy break connections off; that is what this is for.
            let _ended = connection.await;
        });
    }
}
