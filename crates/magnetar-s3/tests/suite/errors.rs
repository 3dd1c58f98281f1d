//! What becomes of each kind of failure, from the wire to its class.

use std::time::Duration;

use aws_credential_types::provider::{error::CredentialsError, future::ProvideCredentials as ProvidedCredentials};
use magnetar_resilience::{Classify, ErrorClass, ResilienceError};
use magnetar_s3::{
    S3Error, S3Factory,
    aws_sdk_s3::{Client, config::ProvideCredentials, operation::get_object::GetObjectError},
};

use crate::{fault::Fault, rig::Rig, server::BUCKET};

/// Fetches an object, with its body.
async fn fetch(client: &Client) -> Result<Vec<u8>, S3Error> {
    let answer = client.get_object().bucket(BUCKET).key("small").send().await?;
    Ok(answer.body.collect().await?.to_vec())
}

/// Class, code and message of a fetch that fails.
async fn failed(client: &Client) -> (ErrorClass, Option<String>, String) {
    let error = fetch(client).await.unwrap_err();
    (error.class(), error.code().map(str::to_owned), error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_failure_on_the_way_has_its_class() {
    let rig = Rig::start().await;
    let client = rig.factory_with(Duration::from_secs(1)).client().unwrap();
    let put = client.put_object().bucket(BUCKET).key("small").body(vec![7; 100_000].into()).send().await;
    assert!(put.is_ok(), "{put:?}");

    let cases = [
        (Fault::Reset, "the call broke off"),
        (Fault::Truncated(0), "the call broke off"),
        (Fault::Truncated(20), "the call broke off"),
        (Fault::Truncated(50_000), "the answer could not be read"),
        (Fault::BlackHole, "the call took too long"),
    ];
    for (fault, message) in cases {
        rig.proxy.once("GET ", fault.clone());
        assert_eq!(failed(&client).await, (ErrorClass::Transient, None, message.to_owned()), "{fault:?}");
    }
    assert_eq!(fetch(&client).await.unwrap(), vec![7; 100_000]);

    rig.proxy.refuse().await;
    assert_eq!(failed(&client).await, (ErrorClass::Unsent, None, "S3 could not be reached".to_owned()));
    rig.proxy.accept().await;
    assert_eq!(fetch(&client).await.unwrap().len(), 100_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_that_cannot_be_made_says_nothing_about_the_service() {
    let rig = Rig::start().await;
    let client = rig.factory().client().unwrap();
    let unmade = (ErrorClass::Rejected, "the request could not be made".to_owned());
    let error = S3Error::from(client.get_object().bucket(BUCKET).send().await.unwrap_err());
    assert_eq!((error.class(), error.to_string()), unmade, "it has no key");

    let builder = S3Factory::builder("us-east-1").endpoint(&format!("http://{}", rig.proxy.address));
    let keyless = builder.credentials(Keyless).path_style().build().unwrap();
    let error = fetch(&keyless.client().unwrap()).await.unwrap_err();
    assert_eq!((error.class(), error.to_string()), unmade, "nobody knows the credentials");
    assert_eq!(rig.proxy.tally().accepted, 0);
}

/// Knows no credentials.
#[derive(Debug)]
struct Keyless;

impl ProvideCredentials for Keyless {
    fn provide_credentials<'a>(&'a self) -> ProvidedCredentials<'a>
    where
        Self: 'a,
    {
        ProvidedCredentials::ready(Err(CredentialsError::not_loaded("no keys")))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_answer_has_its_class() {
    let rig = Rig::start().await;
    let client = rig.factory().client().unwrap();
    let cases = [
        (Fault::slow_down(""), ErrorClass::Throttled, Some("SlowDown")),
        (Fault::error("500 Internal Server Error", "InternalError"), ErrorClass::Transient, Some("InternalError")),
        (Fault::error("400 Bad Request", "RequestTimeout"), ErrorClass::Transient, Some("RequestTimeout")),
        (Fault::answer("502 Bad Gateway", "", "<html>nginx</html>"), ErrorClass::Transient, None),
        (Fault::answer("504 Gateway Timeout", "", ""), ErrorClass::Transient, None),
        (Fault::answer("429 Too Many Requests", "", ""), ErrorClass::Throttled, None),
        (Fault::error("403 Forbidden", "AccessDenied"), ErrorClass::Permanent, Some("AccessDenied")),
        (Fault::error("404 Not Found", "NoSuchKey"), ErrorClass::Permanent, Some("NoSuchKey")),
        (Fault::error("301 Moved Permanently", "PermanentRedirect"), ErrorClass::Permanent, Some("PermanentRedirect")),
    ];
    for (fault, class, code) in cases {
        rig.proxy.once("GET ", fault.clone());
        let (seen, seen_code, message) = failed(&client).await;
        assert_eq!((seen, seen_code.as_deref()), (class, code), "{fault:?}: {message}");
    }
    let missing = S3Error::from(client.head_object().bucket(BUCKET).key("nothing").send().await.unwrap_err());
    assert_eq!((missing.class(), missing.status()), (ErrorClass::Permanent, Some(404)), "an answer to HEAD has no body");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answer_is_told_with_what_support_asks_for() {
    let rig = Rig::start().await;
    let client = rig.factory().client().unwrap();
    rig.proxy.once("GET ", Fault::slow_down("x-amz-request-id: 4442587FB7D0A2F9\r\n"));
    let error = fetch(&client).await.unwrap_err();
    assert_eq!(error.to_string(), "S3 answered SlowDown (status 503): it is SlowDown (request 4442587FB7D0A2F9)");
    rig.proxy.once("GET ", Fault::answer("504 Gateway Timeout", "", ""));
    assert_eq!(failed(&client).await.2, "S3 answered with status 504");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hint_reaches_both_kinds_of_error() {
    let rig = Rig::start().await;
    let client = rig.factory().client().unwrap();
    rig.proxy.once("GET ", Fault::slow_down("x-amz-retry-after: 1500\r\n"));
    let error = fetch(&client).await.unwrap_err();
    let hint = Some(Duration::from_millis(1500));
    assert_eq!(error.retry_after(), hint);
    let plain = ResilienceError::from(error);
    assert_eq!((plain.class(), plain.retry_after()), (ErrorClass::Throttled, hint));
    assert!(plain.to_string().contains("SlowDown"), "{plain}");

    rig.proxy.once("GET ", Fault::error("404 Not Found", "NoSuchKey"));
    let plain = ResilienceError::from(fetch(&client).await.unwrap_err());
    assert_eq!(plain.class(), ErrorClass::Permanent);
    let ResilienceError::Foreign { cause, .. } = plain else { panic!("{plain}") };
    assert_eq!(cause.error().downcast_ref::<S3Error>().unwrap().code(), Some("NoSuchKey"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn error_of_the_sdk_can_be_looked_into() {
    let rig = Rig::start().await;
    let client = rig.factory().client().unwrap();
    let source = fetch(&client).await.unwrap_err().into_source();
    let error = source.downcast::<GetObjectError>().unwrap();
    assert!(error.is_no_such_key());
}
