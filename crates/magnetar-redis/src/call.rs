//! A call of the server: over which connection, within which time, and how often.

use std::{
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use magnetar_resilience::{Backoff, Policy, Retry};
use magnetar_state::StateError;
use redis::{Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};

use crate::{
    class::{ByTrouble, Trouble},
    config::RedisConfig,
    dial::{Dialer, Socket},
    error::Scene,
    link,
    pool::Pool,
    record,
    script::Script,
};

/// The wait before the first retry; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest wait before a retry.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// What each master answered, by its address; of one server it is empty.
pub(crate) type Answers = Vec<(String, Value)>;

/// Whoever asks the server.
pub(crate) struct Caller {
    dialer: Dialer,
    pool: Pool,
    policy: Policy,
    pub(crate) scene: Scene,
    replicas: Option<Replicas>,
    is_closed: AtomicBool,
}

/// The replicas that must have what a call changes, before that is acknowledged.
struct Replicas {
    count: u64,
    wait: Cmd,
}

/// A run of a script.
pub(crate) struct Run<'a> {
    pub(crate) script: &'a Script,
    pub(crate) keys: Vec<String>,
    pub(crate) args: Vec<Vec<u8>>,
}

impl Replicas {
    /// None where nobody is waited for. A replica has half of the time that an answer may take.
    fn new(config: &RedisConfig) -> Option<Self> {
        let mut wait = redis::cmd("WAIT");
        // 0 would be for ever, and what a server cannot count is refused.
        wait.arg(config.replicas).arg((config.response_timeout.as_millis() / 2).clamp(1, i32::MAX as u128));
        (config.replicas > 0).then_some(Self { count: config.replicas, wait })
    }
}

impl Caller {
    pub(crate) fn new(config: &RedisConfig) -> Result<Self, StateError> {
        let retry = Retry::builder(Backoff::exponential(FIRST_WAIT, LONGEST_WAIT)).name("redis").max_retries(config.max_retries);
        let policy = Policy::builder()
            .retry(retry)
            // What takes long is noticed below this, where the connection can be given up.
            .attempt_timeout(config.connection_timeout.saturating_add(config.response_timeout).saturating_mul(2))
            .total_timeout(config.total_timeout)
            .build()
            .map_err(|error| StateError::invalid(error.to_string()))?;
        Ok(Self {
            dialer: Dialer::new(config)?,
            pool: Pool::new(config.pool_size),
            policy,
            scene: Scene::new(&config.topology),
            replicas: Replicas::new(config),
            is_closed: AtomicBool::new(false),
        })
    }

    /// Runs a script that changes nothing.
    pub(crate) async fn read(&self, run: &Run<'_>) -> Result<Value, StateError> {
        let known = run.known();
        self.attempts(|mut socket| {
            let known = &known;
            async move {
                match socket.send(known).await {
                    Err(error) if is_unknown(&error) => socket.send(&run.told()).await,
                    answer => answer,
                }
            }
        })
        .await
    }

    /// Runs a script that may change something, and waits for the replicas, where they are to have it.
    ///
    /// # Errors
    /// `Unavailable` where they do not have it in time. The change itself has happened.
    pub(crate) async fn change(&self, run: &Run<'_>) -> Result<Value, StateError> {
        let Some(replicas) = &self.replicas else { return self.read(run).await };
        let (known, wait) = (run.known(), &replicas.wait);
        let (answer, count) = self
            .attempts(|mut socket| {
                let known = &known;
                async move {
                    match socket.send_and_wait(known, wait).await {
                        Err(error) if is_unknown(&error) => socket.send_and_wait(&run.told(), wait).await,
                        answer => answer,
                    }
                }
            })
            .await?;
        if count < replicas.count && record::is_change(&answer) {
            return Err(self.scene.unconfirmed(count, replicas.count));
        }
        Ok(answer)
    }

    /// Sends a command whose first argument is a key.
    pub(crate) async fn ask(&self, command: &Cmd) -> Result<Value, StateError> {
        self.attempts(|mut socket| async move { socket.send(command).await }).await
    }

    /// Sends a command without keys to every master. None where it is one that may not be asked.
    pub(crate) async fn ask_all(&self, command: &Cmd) -> Result<Option<Answers>, StateError> {
        let told = |answer: RedisResult<Answers>| match answer {
            Err(error) if Trouble::of(&error) == Trouble::Forbidden => Ok(None),
            answer => answer.map(Some),
        };
        self.attempts(|mut socket| async move { told(socket.send_to_all(command).await) }).await
    }

    /// How many replicas are waited for.
    pub(crate) fn replicas(&self) -> u64 {
        self.replicas.as_ref().map_or(0, |replicas| replicas.count)
    }

    /// Whether there is one server, at a fixed place.
    pub(crate) fn is_one_server(&self) -> bool {
        self.dialer.is_one_server()
    }

    /// Refuses calls from now on, and closes the connections when what is on its way has ended.
    pub(crate) async fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.pool.close().await;
    }

    async fn attempts<T, F, Fut>(&self, send: F) -> Result<T, StateError>
    where
        T: Send,
        F: Fn(Socket) -> Fut + Sync,
        Fut: Future<Output = RedisResult<T>> + Send,
    {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(StateError::Closed);
        }
        self.policy.run(&ByTrouble, || self.boxed(&send)).await.map_err(|error| self.scene.ended(error))
    }

    /// An attempt whose type ends here: those of all layers in one are more than the compiler follows.
    fn boxed<'a, T, F, Fut>(&'a self, send: &'a F) -> Pin<Box<dyn Future<Output = RedisResult<T>> + Send + 'a>>
    where
        T: Send + 'a,
        F: Fn(Socket) -> Fut + Sync,
        Fut: Future<Output = RedisResult<T>> + Send + 'a,
    {
        Box::pin(self.attempt(send))
    }

    async fn attempt<T, F, Fut>(&self, send: &F) -> RedisResult<T>
    where
        T: Send,
        F: Fn(Socket) -> Fut + Sync,
        Fut: Future<Output = RedisResult<T>> + Send,
    {
        let taken = self.pool.take();
        let (socket, generation) = taken.link().socket(&self.dialer).await?;
        let answer = send(socket).await;
        if let Err(error) = &answer
            && link::is_spent(error, self.dialer.may_move())
        {
            taken.link().give_up(generation).await;
        }
        answer
    }
}

/// Whether the server does not know a script: it was never told, was restarted, or told to forget.
fn is_unknown(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

impl Run<'_> {
    /// The run of a script that the server knows.
    fn known(&self) -> Cmd {
        self.command("EVALSHA", &self.script.sha1)
    }

    /// The same, with the script's text.
    fn told(&self) -> Cmd {
        self.command("EVAL", &self.script.code)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(self.keys.len()).arg(&self.keys).arg(&self.args);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_times_are_no_overflow() {
        let builder = RedisConfig::builder().url("redis://host").replicas(1);
        let longest = builder.connection_timeout(Duration::MAX).response_timeout(Duration::MAX).total_timeout(Duration::MAX);
        let config = longest.build().unwrap();
        Caller::new(&config).unwrap();
        let wait = Replicas::new(&config).unwrap().wait;
        assert_eq!(wait.args_iter().count(), 3);
        assert!(wait.get_packed_command().ends_with(b"\r\n2147483647\r\n"));
    }
}
