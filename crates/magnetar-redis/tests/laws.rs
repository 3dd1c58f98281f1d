//! The laws, on a store in one server and on one in a Cluster.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the suite beside this uses all of it")]
#[path = "servers/servers.rs"]
mod server;

use std::{
    pin::Pin,
    process::ExitCode,
    sync::{
        Arc, LazyLock, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use libtest_mimic::Arguments;
use magnetar_redis::{RedisConfig, RedisConfigBuilder, RedisStore, magnetar_state::StateStore};
use magnetar_testkit::state::{StateHarness, trials};
use tokio::runtime::Runtime;

use crate::server::{Server, cluster::Cluster};

/// Connections belong to the runtime on which they were dialled, and laws share stores between threads: so there is one for all.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// A place of its own among the keys of servers that all laws share.
struct Namespace {
    servers: RedisConfigBuilder,
    name: String,
}

impl Namespace {
    fn new(servers: RedisConfigBuilder) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { servers, name: format!("law-{}", NEXT.fetch_add(1, Ordering::Relaxed)) }
    }
}

#[async_trait]
impl StateHarness for Namespace {
    async fn open(&self) -> Arc<dyn StateStore> {
        let config = self.servers.clone().namespace(&self.name).build().unwrap();
        Arc::new(RedisStore::new(config).await.unwrap())
    }

    /// The time is the server's.
    async fn advance(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    fn tick(&self) -> Duration {
        Duration::from_millis(250)
    }

    fn has_many_handles(&self) -> bool {
        true
    }

    fn block_on(&self, law: Pin<Box<dyn Future<Output = ()> + Send + '_>>) {
        RUNTIME.block_on(law);
    }
}

fn main() -> ExitCode {
    // As statics, because they live until the process ends, and go with it.
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    let (Some(server), Some(cluster)) = (SERVER.get_or_init(Server::plain), CLUSTER.get_or_init(Cluster::new)) else {
        return ExitCode::SUCCESS;
    };
    let one = RedisConfig::builder().url(server.url());
    let several = RedisConfig::builder().cluster(cluster.urls());
    let mut laws = trials("redis", move || Namespace::new(one.clone()));
    laws.extend(trials("redis cluster", move || Namespace::new(several.clone())));
    libtest_mimic::run(&Arguments::from_args(), laws).exit_code()
}
