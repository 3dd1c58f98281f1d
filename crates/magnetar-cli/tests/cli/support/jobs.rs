//! Jobs in stores, made through the library.

use std::{env, path::Path, process, sync::Arc};

use magnetar::{Fence, JobStatus, JobStore, JobUpdate, Location, Manifest, manifest::Format};

/// The id of every job here.
pub(crate) const JOB: i64 = 42;

/// A chunk in every status, with names and errors that would steer a terminal.
pub(crate) const NIGHTLY: &str = r#"
name = "nightly"
kind = "report"

[retry]
retries = 0

[[chunks]]
id = 1
run = ["gzip", "-k", "{input}"]
input = "data/first file.csv"
checksum = "abc123"

[[chunks]]
id = 2
shell = "sort < data/second.csv > sorted.csv"

[[chunks]]
id = 3
run = ["merge", "{input}"]
input = ["a.csv", "b.csv"]
depends_on = [1, 2]

[[chunks]]
id = 4
run = ["resize", "picture\u001b[31m.png"]
priority = 5
timeout = "1h"
retries = 4

[[chunks]]
id = 5
run = ["true"]

[[chunks]]
id = 6
run = ["report"]
depends_on = [4]

[[chunks]]
id = 7
payload = "seven"
key = "order-7"

[[chunks]]
id = 8
lane = "gpu"
not_before = "2100-01-01T00:00:00Z"
"#;

/// Two chunks behind one that failed, in a job that holds them.
pub(crate) const STUCK: &str = r#"
name = "stuck"
on_failure = "hold"

[retry]
retries = 0

[[chunks]]
id = 1
run = ["false"]

[[chunks]]
id = 2
run = ["report"]
depends_on = [1]

[[chunks]]
id = 3
run = ["mail"]
depends_on = [2]
"#;

/// Chunks that wait for nothing.
pub(crate) fn plain(name: &str, chunks: u64) -> String {
    (1..=chunks)
        .fold(format!("name = {name:?}\n"), |text, id| text + &format!("[[chunks]]\nid = {id}\nrun = [\"work\", \"{id}\"]\n"))
}

/// A store that a test holds open.
pub(crate) struct Store(Arc<dyn JobStore>);

impl Store {
    /// Opens the store at a path.
    pub(crate) fn open(path: &Path) -> Self {
        Self(wait(Location::of_file(path).unwrap().open()).unwrap())
    }

    /// Opens the store at a path with the job of a manifest.
    pub(crate) fn with(path: &Path, manifest: &str) -> Self {
        let store = Self::open(path);
        store.add(JOB, manifest);
        store
    }

    /// Puts the job of a manifest in.
    pub(crate) fn add(&self, job: i64, manifest: &str) {
        wait(self.0.init_from_manifest(job, &Manifest::parse(manifest, Format::Toml).unwrap())).unwrap();
    }

    pub(crate) fn mark(&self, chunk: u64, status: JobStatus) {
        wait(self.0.mark_status(JOB, chunk, status, None)).unwrap();
    }

    pub(crate) fn fail(&self, chunk: u64, error: &str) {
        wait(self.0.mark_failed(JOB, chunk, error.to_owned())).unwrap();
    }

    /// Marks the chunks from 1 on as failed.
    pub(crate) fn fail_all(&self, chunks: u64) {
        let failed = |chunk_id| JobUpdate { chunk_id, status: JobStatus::Failed, checksum: None, error: Some("no".to_owned()) };
        let updates: Vec<_> = (1..=chunks).map(failed).collect();
        assert!(wait(self.0.apply_batch_updates(JOB, &updates)).unwrap().iter().all(Result::is_ok));
    }

    /// Claims the most urgent chunk.
    pub(crate) fn claim(&self) -> Fence {
        wait(self.0.claim_pending(JOB)).unwrap().unwrap().fence().unwrap()
    }

    pub(crate) fn complete(&self, fence: &Fence, result: &[u8]) {
        wait(self.0.complete(fence, result.to_vec())).unwrap();
    }

    pub(crate) fn pause(&self) {
        wait(self.0.pause(JOB)).unwrap();
    }

    pub(crate) fn delete(&self) {
        wait(self.0.delete_job(JOB)).unwrap();
    }

    pub(crate) fn status(&self, chunk: u64) -> JobStatus {
        wait(self.0.get_chunk(JOB, chunk)).unwrap().unwrap().status
    }
}

/// The nightly job with a chunk in every status: 1 done, 2 failed, 3 skipped behind it, 4 running under this very handle, 5
/// ready, 6 blocked behind 4, 7 cancelled, 8 delayed.
pub(crate) fn nightly(path: &Path) -> Store {
    let store = Store::with(path, NIGHTLY);
    assert_eq!(store.claim().chunk(), 4);
    let first = store.claim();
    assert_eq!(first.chunk(), 1);
    store.complete(&first, b"12 rows\xff");
    store.fail(2, "exit code 1: no such file\n\u{1b}[2J");
    store.mark(7, JobStatus::Cancelled);
    store
}

/// The stuck job, stalled.
pub(crate) fn stuck(path: &Path) -> Store {
    let store = Store::with(path, STUCK);
    store.fail(1, "exit code 1");
    store
}

/// The store in which a child of a test claims a chunk and dies.
const CLAIM_AND_DIE: &str = "MAGNETAR_TEST_CLAIM_AND_DIE";

/// Plays the child, where this process is one.
#[test]
fn child() {
    if let Some(path) = env::var_os(CLAIM_AND_DIE) {
        let store = Store::open(path.as_ref());
        store.claim();
        process::abort();
    }
}

/// Claims the most urgent chunk of a store in another process, which dies with it.
pub(crate) fn claim_and_die(path: &Path) {
    let mut child = process::Command::new(env::current_exe().unwrap());
    child.args(["--exact", "support::jobs::child"]).env(CLAIM_AND_DIE, path).stdout(process::Stdio::null());
    assert_eq!(child.stderr(process::Stdio::null()).status().unwrap().code(), None, "a signal ends it");
}

/// Waits for a store.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
