//! The limit of a pool is a limit of sockets, whatever happens to them.

use std::{sync::Arc, time::Duration};

use magnetar_resilience::{ConnectionFactory, ConnectionPool, PoolConfig};
use magnetar_s3::aws_sdk_s3::Client;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    fault::Fault,
    proxy::LONGEST,
    rig::{Rig, Stack, Wants, object},
    server::BUCKET,
};

/// Many tasks that put and fetch objects at a time; how many did.
async fn load(stack: &Stack, tasks: usize, rounds: usize) -> usize {
    let mut set = JoinSet::new();
    for task in 0..tasks {
        let store = Arc::clone(&stack.store);
        set.spawn(async move {
            let mut succeeded = 0;
            for round in 0..rounds {
                let (key, object) = (format!("{task}/{round}"), object(1000 * task + round));
                // Nothing in the world of these tests may lose a byte or bring another object's.
                if let Ok(put) = store.put(&key, &object).await
                    && let Ok((fetched, tag)) = store.get(&key).await
                {
                    assert!(fetched == object && tag == put, "{key}");
                    succeeded += 1;
                }
            }
            succeeded
        });
    }
    set.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d24_pool_has_as_many_sockets_as_it_may_and_no_more() {
    let rig = Rig::start().await;
    let stack = rig.stack(Wants { max_size: 3, ..Wants::default() });
    rig.proxy.let_go(false);
    rig.proxy.always(Fault::Held);
    let held = load(&stack, 16, 2);
    let all = async {
        rig.proxy.until(|tally| tally.live == 3 && tally.requests.len() == 3).await;
        rig.proxy.always(Fault::None);
        rig.proxy.let_go(true);
    };
    let (succeeded, ()) = tokio::join!(held, all);
    let tally = rig.proxy.tally();
    assert_eq!((succeeded, tally.peak, tally.accepted), (32, 3, 3), "{tally:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d24_clones_of_one_client_have_as_many_sockets_as_requests() {
    // What the limit is for, and what shows that the proxy would see more of them.
    let rig = Rig::start().await;
    let client = rig.factory().client().unwrap();
    rig.proxy.let_go(false);
    rig.proxy.always(Fault::Held);
    let mut set = JoinSet::new();
    for _ in 0..16 {
        let client: Client = client.clone();
        set.spawn(async move { client.list_objects_v2().bucket(BUCKET).send().await.is_ok() });
    }
    rig.proxy.until(|tally| tally.live == 16).await;
    rig.proxy.let_go(true);
    assert!(set.join_all().await.into_iter().all(|ended| ended));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_break_are_gone_before_others_come() {
    let rig = Rig::start().await;
    let wants = Wants { max_size: 3, failure_threshold: usize::MAX, attempt_timeout: Duration::from_secs(5), ..Wants::default() };
    let stack = rig.stack(wants);
    for round in 0..12 {
        rig.proxy.once("GET ", [Fault::Reset, Fault::Truncated(900), Fault::Truncated(0)][round % 3].clone());
        rig.proxy.once("PUT ", [Fault::Truncated(100), Fault::Reset][round % 2].clone());
    }
    assert_eq!(load(&stack, 12, 4).await, 48);
    let tally = rig.proxy.tally();
    assert!(tally.accepted >= 3 + 20, "sockets broke: {tally:?}");
    assert!(tally.peak <= 3, "{tally:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_has_one_socket_however_often_it_breaks() {
    let rig = Rig::start().await;
    let connection = rig.factory().create().await.unwrap();
    let put = connection.put_object().bucket(BUCKET).key("small").body(vec![7; 300_000].into());
    assert!(put.send().await.is_ok());
    // The body is dropped unread, so the socket is of no more use; and the next request comes at once.
    for _ in 0..300 {
        assert!(connection.get_object().bucket(BUCKET).key("small").send().await.is_ok());
    }
    let tally = rig.proxy.tally();
    assert!(tally.accepted >= 100, "sockets broke: {}", tally.accepted);
    assert_eq!(tally.peak, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_has_one_socket_however_many_use_it() {
    let rig = Rig::start().await;
    let connection = Arc::new(rig.factory().create().await.unwrap());
    rig.proxy.always(Fault::Late(Duration::from_millis(50)));
    let mut set = JoinSet::new();
    for _ in 0..4 {
        let connection = Arc::clone(&connection);
        set.spawn(async move { connection.list_objects_v2().bucket(BUCKET).send().await.is_ok() });
    }
    assert!(set.join_all().await.into_iter().all(|ended| ended));
    assert_eq!((rig.proxy.requests(), rig.proxy.tally().accepted), (4, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_leave_take_no_socket_along() {
    let rig = Rig::start().await;
    let stack = rig.stack(Wants { max_size: 3, ..Wants::default() });
    rig.proxy.always(Fault::BlackHole);
    for _ in 0..8 {
        let before = rig.proxy.requests();
        let mut set = JoinSet::new();
        for _ in 0..6 {
            let store = Arc::clone(&stack.store);
            set.spawn(async move { store.get("small").await.is_ok() });
        }
        rig.proxy.until(|tally| tally.requests.len() == before + 3).await;
        set.shutdown().await;
    }
    rig.proxy.always(Fault::None);
    assert_eq!(load(&stack, 6, 1).await, 6);
    let tally = rig.proxy.tally();
    assert!(tally.peak <= 3, "{tally:?}");
    assert_eq!(stack.breaker.snapshot().failures, 0, "who leaves says nothing about the service");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_pool_leaves_no_socket() {
    let rig = Rig::start().await;
    let config = PoolConfig { max_size: 2, min_idle: 0, ..Default::default() };
    let pool = ConnectionPool::new(Arc::new(rig.factory()), config);
    let (idle, busy) = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    assert!(idle.list_objects_v2().bucket(BUCKET).send().await.is_ok());
    drop(idle);
    rig.proxy.once("GET ", Fault::BlackHole);
    let hangs = tokio::spawn(async move { busy.list_objects_v2().bucket(BUCKET).send().await.is_ok() });
    rig.proxy.until(|tally| tally.live == 2 && tally.requests.len() == 2).await;
    assert!(!pool.close(Duration::ZERO).await, "one is in use");
    rig.proxy.until(|tally| tally.live == 1).await;
    hangs.abort();
    assert!(pool.close(LONGEST).await);
    timeout(LONGEST, rig.proxy.until(|tally| tally.live == 0)).await.unwrap();
}
