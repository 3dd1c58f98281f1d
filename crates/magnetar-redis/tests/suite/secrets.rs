//! Credentials: in no error and in no text that a program may log.

use magnetar_redis::{RedisConfig, magnetar_state::StateStore};

use crate::{
    puppet::Puppet,
    rig::{config, open, token},
    server::Server,
};

const CANARY: &str = "CANARY-s3cr3t";

/// An error and everything beneath it, as it may be shown.
fn shown(error: &dyn std::error::Error) -> String {
    let rest = error.source().map(shown).unwrap_or_default();
    format!("{error} {error:?} {error:#?} {rest}")
}

#[tokio::test]
async fn error_of_a_wrong_password_does_not_show_it() {
    let Some(server) = Server::guarded("right", &[]) else { return };
    for who in [format!(":{CANARY}"), format!("{CANARY}:{CANARY}")] {
        let error = open(config(format!("redis://{who}@127.0.0.1:{}", server.port()))).await.unwrap_err();
        assert!(!shown(&error).contains(CANARY), "{}", shown(&error));
        assert!(error.to_string().contains(&server.port().to_string()), "{error}");
    }
}

#[tokio::test]
async fn error_of_a_server_that_is_down_does_not_show_the_password() {
    let Some(mut server) = Server::guarded(CANARY, &[]) else { return };
    let store = open(config(server.url()).max_retries(0)).await.unwrap();
    assert!(!format!("{store:?} {:?}", store.probe().await).contains(CANARY));
    server.kill();
    for error in [store.load("c").await.unwrap_err(), open(config(server.url()).max_retries(0)).await.unwrap_err()] {
        assert!(!shown(&error).contains(CANARY), "{}", shown(&error));
    }
}

#[tokio::test]
async fn server_that_repeats_what_it_was_sent_makes_nobody_show_it() {
    let echo = format!("-ERR unknown command 'EVALSHA', with args beginning with: 'sha' '3' 'key' '{CANARY}' ");
    let puppet = Puppet::answering(&[&echo]).await;
    let store = open(config(puppet.url())).await.unwrap();
    let error = store.save_resume_token("c", token(1)).await.unwrap_err();
    assert!(!shown(&error).contains(CANARY), "{}", shown(&error));
    assert!(shown(&error).contains("unknown command"), "{}", shown(&error));

    let echo = format!("-WRONGPASS user {CANARY} with password {CANARY}");
    let puppet = Puppet::answering(&[&echo]).await;
    let store = open(config(puppet.url().replace("//", &format!("//{CANARY}:{CANARY}@")))).await.unwrap();
    let error = store.load("c").await.unwrap_err();
    assert!(!shown(&error).contains(CANARY), "{}", shown(&error));
}

#[test]
fn settings_that_are_refused_do_not_show_the_password() {
    for builder in [
        RedisConfig::builder().url(format!("redis://:{CANARY}@host")).pool_size(0),
        RedisConfig::builder().url(format!("http://:{CANARY}@host")),
        RedisConfig::builder().url(format!("{CANARY}@host")),
        RedisConfig::builder().url(format!("redis://:{CANARY}")),
        RedisConfig::builder().url(format!("redis://host/{CANARY}")),
        RedisConfig::builder().cluster([format!("redis://:{CANARY}@host"), "redis://host".to_owned()]),
        RedisConfig::builder().sentinel("m", [format!("sentinel://:{CANARY}@host")]),
    ] {
        assert!(!format!("{builder:?}").contains(CANARY), "{builder:?}");
        let error = builder.build().unwrap_err();
        assert!(!shown(&error).contains(CANARY), "{}", shown(&error));
    }
}
