//! TLS: it is there, it looks at certificates, and it is what `rediss://` means.

use std::time::Duration;

use magnetar_redis::{
    RedisConfigBuilder,
    magnetar_state::{StateError, StateStore},
};

use crate::{
    rig::{config, open, timed, token},
    server::tls::{Authority, TlsServer},
};

const ANYBODY: &[&str] = &["--tls-auth-clients", "no"];

async fn refused(builder: RedisConfigBuilder) -> StateError {
    let (opened, took) = timed(open(builder.connection_timeout(Duration::from_millis(500)))).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    opened.unwrap_err()
}

#[tokio::test]
async fn tls_is_really_there() {
    let authority = Authority::new("ours");
    let Some(tls) = TlsServer::new(&authority, &["127.0.0.1"], ANYBODY) else { return };
    let store = open(config(tls.url()).root_certificates(authority.pem())).await.unwrap();
    store.save_resume_token("c", token(1)).await.unwrap();
    assert_eq!(store.load_resume_token("c").await.unwrap(), Some(token(1)));
    // Seen from the port without TLS, its connection came in by the other one.
    let clients: String = tls.server.ask(&["CLIENT", "LIST"]);
    assert!(clients.lines().any(|line| line.contains(&format!("laddr=127.0.0.1:{} ", tls.tls_port))), "{clients}");
}

#[tokio::test]
async fn certificate_that_nobody_trusted_vouches_for_is_refused_at_once() {
    let Some(tls) = TlsServer::new(&Authority::new("ours"), &["127.0.0.1"], ANYBODY) else { return };
    let error = refused(config(tls.url()).root_certificates(Authority::new("theirs").pem())).await;
    assert!(matches!(error, StateError::Denied { .. }) && error.to_string().contains("certificate"), "{error:?}");
    // Nor does the machine know it.
    let error = refused(config(tls.url())).await;
    assert!(matches!(error, StateError::Denied { .. }), "{error:?}");
}

#[tokio::test]
async fn certificate_of_another_host_is_refused() {
    let authority = Authority::new("ours");
    let Some(tls) = TlsServer::new(&authority, &["redis.example.org"], ANYBODY) else { return };
    let error = refused(config(tls.url()).root_certificates(authority.pem())).await;
    assert!(matches!(error, StateError::Denied { .. }), "{error:?}");
}

#[tokio::test]
async fn server_that_asks_who_we_are_is_told() {
    let authority = Authority::new("ours");
    let Some(tls) = TlsServer::new(&authority, &["127.0.0.1"], &["--tls-auth-clients", "yes"]) else { return };
    let builder = || config(tls.url()).root_certificates(authority.pem());
    let (certificate, key) = authority.certify(&["app"]);
    open(builder().client_certificate(certificate, key)).await.unwrap().save_resume_token("c", token(1)).await.unwrap();
    let (certificate, key) = Authority::new("theirs").certify(&["app"]);
    for builder in [builder(), builder().client_certificate(certificate, key)] {
        let error = refused(builder.max_retries(0)).await;
        assert!(matches!(error, StateError::Denied { .. } | StateError::Unavailable { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn port_with_tls_and_url_without_do_not_meet() {
    let authority = Authority::new("ours");
    let Some(tls) = TlsServer::new(&authority, &["127.0.0.1"], ANYBODY) else { return };
    let error = refused(config(format!("redis://127.0.0.1:{}", tls.tls_port)).max_retries(1)).await;
    assert!(matches!(error, StateError::Unavailable { .. }), "{error:?}");
    let error =
        refused(config(format!("rediss://127.0.0.1:{}", tls.server.port())).root_certificates(authority.pem()).max_retries(1))
            .await;
    assert!(matches!(error, StateError::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn certificates_that_are_none_are_refused_before_anything_is_sent() {
    for builder in [
        config("rediss://127.0.0.1:1").root_certificates("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"),
        config("rediss://127.0.0.1:1").client_certificate("none", "none"),
    ] {
        let error = refused(builder).await;
        assert!(matches!(error, StateError::Invalid { .. }), "{error:?}");
    }
}
