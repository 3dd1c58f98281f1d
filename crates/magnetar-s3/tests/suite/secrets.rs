//! Neither the secret key nor the session token is shown anywhere, whoever repeats them.

use std::{error::Error, fmt::Debug};

use magnetar_resilience::{ConnectionFactory, ConnectionPool, ResilienceError};
use magnetar_s3::{Credentials, S3Error, S3Factory};

use crate::{
    fault::Fault,
    rig::Rig,
    server::{BUCKET, KEY, SECRET},
};

const TOKEN: &str = "CANARY-of-the-session-token";

fn assert_silent(shown: &str) {
    assert!(!shown.contains("CANARY"), "{shown}");
}

fn assert_debug_is_silent(value: &impl Debug) {
    assert_silent(&format!("{value:?} {value:#?}"));
}

fn assert_error_is_silent(error: &(dyn Error + 'static)) {
    let mut next = Some(error);
    while let Some(error) = next {
        assert_silent(&format!("{error} {error:?} {error:#?}"));
        next = error.source();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_in_no_debug_and_in_no_error() {
    let rig = Rig::start().await;
    let credentials = Credentials::new(KEY, SECRET, Some(TOKEN.to_owned()), None, "test");
    let builder = S3Factory::builder("us-east-1").endpoint(&format!("http://{}", rig.proxy.address)).path_style();
    let builder = builder.credentials(credentials);
    let factory = builder.clone().build().unwrap();
    let (client, connection) = (factory.client().unwrap(), factory.create().await.unwrap());
    let pool = ConnectionPool::new_default(std::sync::Arc::new(factory.clone()));
    assert_debug_is_silent(&builder);
    assert_debug_is_silent(&factory);
    assert_debug_is_silent(&client);
    assert_debug_is_silent(&connection);
    assert_debug_is_silent(&pool);
    assert_debug_is_silent(&pool.acquire().await.unwrap());

    // What S3 says to a wrong signature: it repeats the request that it would have signed, with its token.
    let body = format!(
        "<Error><Code>SignatureDoesNotMatch</Code><Message>The signature does not match.</Message>\
         <StringToSign>{SECRET}</StringToSign><CanonicalRequest>GET\n/\n\nx-amz-security-token:{TOKEN}\n</CanonicalRequest></Error>"
    );
    let echo = format!("x-echo: {TOKEN}\r\n");
    let faults = [
        Fault::answer("403 Forbidden", &echo, &body),
        Fault::answer("200 OK", &echo, &body),
        Fault::answer("200 OK", &echo, TOKEN),
        Fault::answer("500 Internal Server Error", &echo, TOKEN),
        Fault::Answered(TOKEN.to_owned()),
        Fault::Reset,
    ];
    for fault in faults {
        rig.proxy.once("GET ", fault);
        let error = S3Error::from(client.list_objects_v2().bucket(BUCKET).send().await.unwrap_err());
        assert_error_is_silent(&error);
        assert_error_is_silent(&ResilienceError::from(error));
    }
    assert_eq!(rig.proxy.requests(), 6);
}
