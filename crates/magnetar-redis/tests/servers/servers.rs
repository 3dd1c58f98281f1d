//! Private Redis servers: each on free ports of the loopback device and in a folder of its own, gone with whoever started it.

pub(crate) mod cluster;
mod guardian;
mod port;
pub(crate) mod sentinel;
pub(crate) mod tls;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use redis::{Client, Connection, FromRedisValue, Value};

use self::guardian::Guardian;

/// So long a server may take to do what it was told.
const PATIENCE: Duration = Duration::from_secs(20);
/// So long until it is asked again.
const PAUSE: Duration = Duration::from_millis(5);

/// Whether there are servers to test with. Where they are missing, a run with `--require` fails here and another one says so.
fn available() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    let found =
        *FOUND.get_or_init(|| Command::new("redis-server").arg("--version").output().is_ok_and(|out| out.status.success()));
    if !found {
        println!("skipped: there is no redis-server");
        assert_ne!(env::var("MAGNETAR_REQUIRE").as_deref(), Ok("1"), "there is no redis-server");
    }
    found
}

/// Asks until the answer is yes; fails the test where that takes too long.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "another process cannot be waited for otherwise")]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "it took too long until {what}");
        std::thread::sleep(PAUSE);
    }
}

/// One server, killed and its folder removed when it is dropped, and also when the test's process dies.
pub(crate) struct Server {
    guardian: Option<Guardian>,
    folder: PathBuf,
    port: u16,
    config: Vec<String>,
    password: Option<String>,
}

impl Server {
    /// A server without files on the disk. None where there are no servers to test with.
    pub(crate) fn plain() -> Option<Self> {
        Self::with(&["--save", ""])
    }

    /// A server with more words on its command line.
    pub(crate) fn with(config: &[&str]) -> Option<Self> {
        available().then(|| Self::build(config, None))
    }

    /// A server whose default user has a password.
    pub(crate) fn guarded(password: &str, config: &[&str]) -> Option<Self> {
        available().then(|| Self::build(&[config, &["--save", "", "--requirepass", password]].concat(), Some(password)))
    }

    fn build(config: &[&str], password: Option<&str>) -> Self {
        let folder = tempfile::Builder::new().prefix("magnetar-redis-").tempdir().unwrap().keep();
        // A replica is served at once, and not after five seconds in which others may come.
        Self::build_in(folder, &[config, &["--repl-diskless-sync-delay", "0"]].concat(), password)
    }

    fn build_in(folder: PathBuf, config: &[&str], password: Option<&str>) -> Self {
        let config = config.iter().map(|&word| word.to_owned()).collect();
        let mut server = Self { guardian: None, folder, port: 0, config, password: password.map(str::to_owned) };
        // Between the choice of a port and its use another process may take it.
        for _ in 0..20 {
            server.port = port::free();
            if server.spawn() {
                return server;
            }
        }
        panic!("no port is free");
    }

    /// Starts the process; false where somebody else has the port.
    fn spawn(&mut self) -> bool {
        let log = self.folder.join("log");
        fs::write(&log, "").unwrap();
        let (port, folder) = (self.port.to_string(), self.folder.to_str().unwrap());
        let common = ["--port", &port, "--bind", "127.0.0.1", "--dir", folder, "--daemonize", "no", "--loglevel", "notice"];
        let mut words = vec!["redis-server"];
        // A sentinel's file comes first, and is its state.
        words.extend(self.config.iter().take_while(|word| !word.starts_with("--")).map(String::as_str));
        words.extend(common);
        words.extend(self.config.iter().skip_while(|word| !word.starts_with("--")).map(String::as_str));
        let guardian = Guardian::start(&words, &log, &self.folder);
        let pid = guardian.pid();
        self.guardian = Some(guardian);
        let mut taken = false;
        until("a server is up", || {
            taken = fs::read_to_string(&log).unwrap().contains("Address already in use");
            taken || self.process_id() == Some(pid)
        });
        if taken {
            self.kill();
        }
        !taken
    }

    /// Which process answers at the port.
    fn process_id(&self) -> Option<i32> {
        let info: String = redis::cmd("INFO").arg("server").query(&mut self.try_connect().ok()?).ok()?;
        info.lines().find_map(|line| line.strip_prefix("process_id:"))?.trim().parse().ok()
    }

    /// Kills the process at once, as an operator with `kill -9` would. What it has on the disk stays.
    pub(crate) fn kill(&mut self) {
        self.guardian.take().unwrap().kill_and_keep();
    }

    /// Starts a server that was killed again, on the same port and files.
    pub(crate) fn start(&mut self) {
        assert!(self.spawn(), "somebody has taken the port");
        until("the server has read its files", || self.try_ask::<String>(&["PING"]).is_ok());
    }

    /// Stops the process in its tracks: its connections stay open and nothing answers.
    pub(crate) fn freeze(&self) {
        self.guardian.as_ref().unwrap().signal(rustix::process::Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.guardian.as_ref().unwrap().signal(rustix::process::Signal::CONT);
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process, where it runs.
    pub(crate) fn pid(&self) -> i32 {
        self.guardian.as_ref().unwrap().pid()
    }

    pub(crate) fn url(&self) -> String {
        match &self.password {
            Some(password) => format!("redis://:{password}@127.0.0.1:{}", self.port),
            None => format!("redis://127.0.0.1:{}", self.port),
        }
    }

    /// Asks the server something, beside the store that is tested.
    #[track_caller]
    pub(crate) fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_ask(words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    pub(crate) fn try_ask<T: FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let (name, args) = words.split_first().unwrap();
        redis::cmd(name).arg(args).query(&mut self.try_connect()?)
    }

    /// Tells the server something whose answer does not matter.
    #[track_caller]
    pub(crate) fn tell(&self, words: &[&str]) {
        self.ask::<Value>(words);
    }

    /// A line of `INFO`.
    #[track_caller]
    pub(crate) fn info(&self, section: &str, key: &str) -> String {
        let info: String = self.ask(&["INFO", section]);
        line(&info, key).unwrap_or_else(|| panic!("no {key} in {info}"))
    }

    /// Whether a line of `INFO` says this. A server that changes its role ends connections, and then it does not say so yet.
    pub(crate) fn says(&self, section: &str, key: &str, what: &str) -> bool {
        self.try_ask::<String>(&["INFO", section]).is_ok_and(|info| line(&info, key).as_deref() == Some(what))
    }

    fn try_connect(&self) -> redis::RedisResult<Connection> {
        let connection = Client::open(self.url())?.get_connection_with_timeout(Duration::from_secs(1))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        Ok(connection)
    }
}

fn line(info: &str, key: &str) -> Option<String> {
    info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(|what| what.trim().to_owned())
}

impl Drop for Server {
    fn drop(&mut self) {
        // A guardian removes the folder itself, also where nobody drops it.
        if self.guardian.is_none() {
            fs::remove_dir_all(&self.folder).unwrap();
        }
    }
}
