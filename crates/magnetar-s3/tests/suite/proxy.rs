//! A TCP proxy that makes faults, and counts what passes.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::yield_now,
    time::{sleep, timeout},
};

use crate::{
    background::Background,
    fault::Fault,
    wire::{Head, Inbox},
};

/// No condition of these tests takes longer than this to come.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);

/// The proxy. It ends with this value.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _running: Background,
}

struct Shared {
    upstream: SocketAddr,
    rules: Mutex<Rules>,
    tally: watch::Sender<Tally>,
    /// Whether anyone listens; where not, connections are refused.
    open: watch::Sender<bool>,
    /// Whether requests that are held may go on.
    held: watch::Sender<bool>,
}

#[derive(Default)]
struct Rules {
    /// What becomes of every request for which there is nothing else.
    always: Fault,
    /// What becomes of the next request whose line has this in it; each holds once.
    once: Vec<(&'static str, Fault)>,
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Whether it listens.
    pub(crate) listens: bool,
    /// Sockets of clients that are open.
    pub(crate) live: usize,
    /// As many were open at a time.
    pub(crate) peak: usize,
    /// Sockets of clients that there were.
    pub(crate) accepted: usize,
    /// The lines of the requests that came.
    pub(crate) requests: Vec<String>,
}

impl Proxy {
    /// A proxy before a server.
    pub(crate) async fn start(upstream: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            upstream,
            rules: Mutex::default(),
            tally: watch::Sender::default(),
            open: watch::Sender::new(true),
            held: watch::Sender::new(true),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let served = Arc::clone(&shared);
        let running = Background::start("s3-proxy", move || listen(address, served));
        let proxy = Self { address, shared, _running: running };
        proxy.until(|tally| tally.listens).await;
        proxy
    }

    /// From now on this becomes of each request.
    pub(crate) fn always(&self, fault: Fault) {
        self.shared.rules().always = fault;
    }

    /// This becomes of the next request whose line has this in it.
    pub(crate) fn once(&self, part: &'static str, fault: Fault) {
        self.shared.rules().once.push((part, fault));
    }

    /// Refuses connections and breaks those off that there are, until told otherwise.
    pub(crate) async fn refuse(&self) {
        self.shared.open.send_replace(false);
        self.until(|tally| !tally.listens && tally.live == 0).await;
    }

    /// Takes connections again.
    pub(crate) async fn accept(&self) {
        self.shared.open.send_replace(true);
        self.until(|tally| tally.listens).await;
    }

    /// Lets held requests go on, and with `false` holds those to come.
    pub(crate) fn let_go(&self, go: bool) {
        self.shared.held.send_replace(!go);
    }

    /// What was seen so far.
    pub(crate) fn tally(&self) -> Tally {
        self.shared.tally.borrow().clone()
    }

    /// How many requests came so far.
    pub(crate) fn requests(&self) -> usize {
        self.shared.tally.borrow().requests.len()
    }

    /// Waits until the tally is so.
    pub(crate) async fn until(&self, is: impl Fn(&Tally) -> bool) {
        let mut tally = self.shared.tally.subscribe();
        let waited = timeout(LONGEST, tally.wait_for(|tally| is(tally))).await.map(drop);
        assert!(waited.is_ok(), "it never came: {:?}", self.tally());
    }
}

impl Shared {
    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap()
    }

    /// A request came: what becomes of it.
    fn fault_of(&self, head: &Head) -> Fault {
        self.tally.send_modify(|tally| tally.requests.push(head.line.clone()));
        let mut rules = self.rules();
        match rules.once.iter().position(|(part, _)| head.line.contains(part)) {
            Some(place) => rules.once.remove(place).1,
            None => rules.always.clone(),
        }
    }
}

async fn listen(address: SocketAddr, shared: Arc<Shared>) {
    let mut open = shared.open.subscribe();
    loop {
        open.wait_for(|open| *open).await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(1024).unwrap();
        shared.tally.send_modify(|tally| tally.listens = true);
        tokio::select! {
            () = accept(&listener, &shared) => {}
            _ = open.wait_for(|open| !*open) => {}
        }
        drop(listener);
        shared.tally.send_modify(|tally| tally.listens = false);
    }
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        // A client that closed one socket and then opened this one is seen to have closed the first: what came before is looked at before.
        yield_now().await;
        yield_now().await;
        let shared = Arc::clone(shared);
        shared.tally.send_modify(|tally| {
            tally.accepted += 1;
            tally.live += 1;
            tally.peak = tally.peak.max(tally.live);
        });
        tokio::spawn(async move {
            let mut open = shared.open.subscribe();
            tokio::select! {
                // Either side may break off. The sockets are closed by now.
                _ended = Line::new(client, &shared).relay() => {}
                _ = open.wait_for(|open| !*open) => {}
            }
            shared.tally.send_modify(|tally| tally.live -= 1);
        });
    }
}

/// A client, and its own connection to the server.
struct Line<'a> {
    client: TcpStream,
    shared: &'a Shared,
    inbox: Inbox,
    /// How much of a request is still to be passed on.
    rest: usize,
}

impl<'a> Line<'a> {
    fn new(client: TcpStream, shared: &'a Shared) -> Self {
        Self { client, shared, inbox: Inbox::default(), rest: 0 }
    }

    async fn relay(mut self) -> io::Result<()> {
        let mut server = TcpStream::connect(self.shared.upstream).await?;
        let mut answer = vec![0; 1 << 16];
        // How much of the answer may still pass.
        let mut left = usize::MAX;
        loop {
            if self.rest == 0
                && let Some(head) = self.inbox.head()
            {
                left = usize::MAX;
                self.rest = head.length + head.body_length;
                match self.shared.fault_of(&head) {
                    Fault::None => {}
                    Fault::Late(time) => self.wait(sleep(time)).await?,
                    Fault::Held => {
                        let mut held = self.shared.held.subscribe();
                        self.wait(async { drop(held.wait_for(|held| !*held).await) }).await?;
                    }
                    Fault::Reset => return self.client.set_zero_linger(),
                    Fault::BlackHole => self.wait(std::future::pending::<()>()).await?,
                    Fault::Truncated(bytes) => left = bytes,
                    Fault::Answered(text) => self.answer(&text).await?,
                }
            }
            let request = self.inbox.take(self.rest);
            self.rest -= request.len();
            server.write_all(&request).await?;
            tokio::select! {
                came = receive(&mut self.client, &mut self.inbox) => came?,
                came = server.read(&mut answer) => {
                    let came = came?;
                    if came == 0 {
                        return Ok(());
                    }
                    self.client.write_all(&answer[..came.min(left)]).await?;
                    left = left.saturating_sub(came);
                    if left == 0 {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Takes the whole request, and answers.
    async fn answer(&mut self, text: &str) -> io::Result<()> {
        loop {
            self.rest -= self.inbox.take(self.rest).len();
            if self.rest == 0 {
                return self.client.write_all(text.as_bytes()).await;
            }
            receive(&mut self.client, &mut self.inbox).await?;
        }
    }

    /// Waits, as long as the client is there.
    async fn wait(&mut self, for_it: impl Future<Output = ()>) -> io::Result<()> {
        let gone = async {
            loop {
                if let Err(error) = receive(&mut self.client, &mut self.inbox).await {
                    break error;
                }
            }
        };
        tokio::select! {
            () = for_it => Ok(()),
            error = gone => Err(error),
        }
    }
}

/// Reads what a client sends; an error where it has gone.
async fn receive(client: &mut TcpStream, inbox: &mut Inbox) -> io::Result<()> {
    let mut bytes = vec![0; 1 << 16];
    match client.read(&mut bytes).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        came => {
            inbox.push(&bytes[..came]);
            Ok(())
        }
    }
}
