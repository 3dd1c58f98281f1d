//! What stands between a store and its server, and loses what it is told to lose.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Forwards until it is told otherwise.
pub(crate) struct Proxy {
    port: u16,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    /// The next request with this in it is forwarded, and its connection ends in place of the reply.
    losing: Mutex<Option<&'static str>>,
}

impl Proxy {
    pub(crate) async fn before(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let task = tokio::spawn(accept(listener, port, state.clone()));
        Self { port: own, state, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Loses one reply: that to the next request with this word.
    pub(crate) fn lose_reply_to(&self, word: &'static str) {
        *self.state.losing.lock().unwrap() = Some(word);
    }

    /// Whether there is no reply left to be lost.
    pub(crate) fn has_lost(&self) -> bool {
        self.state.losing.lock().unwrap().is_none()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, port: u16, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(forward(client, port, state.clone()));
    }
}

async fn forward(mut client: TcpStream, port: u16, state: Arc<State>) {
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    let (mut request, mut reply) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut loses = false;
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let Ok(length @ 1..) = read else { return };
                loses |= is_to_lose(&state, &request[..length]);
                if server.write_all(&request[..length]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut reply) => {
                let Ok(length @ 1..) = read else { return };
                if loses || client.write_all(&reply[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn is_to_lose(state: &State, request: &[u8]) -> bool {
    let mut losing = state.losing.lock().unwrap();
    let found = losing.is_some_and(|word| request.windows(word.len()).any(|part| part == word.as_bytes()));
    if found {
        *losing = None;
    }
    found
}
