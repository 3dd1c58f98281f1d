//! Servers killed with SIGKILL while tokens are saved: what was acknowledged is there afterwards, where the server was told to keep it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use magnetar_redis::{RedisDurability, RedisStore, magnetar_state::StateStore};

use crate::{
    rig::{config, open, token, until},
    server::Server,
};

/// So many write at the same time, each its own collection.
const WRITERS: usize = 4;

/// What was lost, over all collections and kills: acknowledged saves that were not there afterwards.
#[derive(Debug, Default, PartialEq)]
struct Count {
    acknowledged: i64,
    lost: i64,
}

/// Kills a server once it has acknowledged so many more saves, each time another number, and looks at what it has left.
async fn kill_and_look(server: &mut Server, store: Arc<RedisStore>, kills: i64) -> Count {
    let mut count = Count::default();
    for kill in 0..kills {
        let acknowledged: Arc<Vec<AtomicI64>> = Arc::new((0..WRITERS).map(|_| AtomicI64::new(0)).collect());
        let sum = |each: &[AtomicI64]| each.iter().map(|last| last.load(Ordering::SeqCst)).sum::<i64>();
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| tokio::spawn(write(store.clone(), kill, writer, acknowledged.clone()))).collect();
        let enough = 10 + kill * 37 % 90;
        until("enough was saved", async || sum(&acknowledged) >= enough).await;
        server.kill();
        for writer in writers {
            writer.await.unwrap();
        }
        server.start();
        for (writer, last) in acknowledged.iter().enumerate() {
            let last = last.load(Ordering::SeqCst);
            let found = store.load_resume_token(&name(kill, writer)).await.unwrap();
            let kept = found.map_or(0, |token| token.get_i64("_data").unwrap());
            assert!(kept <= last + 1, "{kept} was never sent, the last that was acknowledged is {last}");
            count.lost += (last - kept).max(0);
            count.acknowledged += last;
        }
    }
    count
}

fn name(kill: i64, writer: usize) -> String {
    format!("kill {kill}, writer {writer}")
}

/// Saves 1, 2, 3 … until the server is gone.
async fn write(store: Arc<RedisStore>, kill: i64, writer: usize, acknowledged: Arc<Vec<AtomicI64>>) {
    let name = name(kill, writer);
    for n in 1.. {
        if store.save_resume_token(&name, token(n)).await.is_err() {
            return;
        }
        acknowledged[writer].store(n, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_lose_no_acknowledged_token_with_appendfsync_always() {
    let Some(mut server) = Server::with(&["--appendonly", "yes", "--appendfsync", "always"]) else { return };
    let settings = config(server.url()).max_retries(0).require(RedisDurability::AofAlways);
    let store = Arc::new(open(settings).await.unwrap());
    let count = kill_and_look(&mut server, store, 20).await;
    println!("{count:?}");
    assert_eq!(count.lost, 0, "{count:?}");
    assert!(count.acknowledged >= 20 * 10, "{count:?}");
}

/// The control: were nothing lost here, the test above would show nothing.
#[tokio::test(flavor = "multi_thread")]
async fn kill_loses_acknowledged_tokens_of_a_server_as_it_comes() {
    let Some(mut server) = Server::with(&[]) else { return };
    let store = Arc::new(open(config(server.url()).max_retries(0)).await.unwrap());
    assert_eq!(store.probe().await.durability, RedisDurability::Rdb);
    let count = kill_and_look(&mut server, store, 2).await;
    println!("{count:?}");
    assert_eq!(count.lost, count.acknowledged, "{count:?}");
}
