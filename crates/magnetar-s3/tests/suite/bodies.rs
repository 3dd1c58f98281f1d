//! Answers to writes that say success and carry a failure, or nothing.

use magnetar_resilience::{Classify, ErrorClass};
use magnetar_s3::{
    S3Error,
    aws_sdk_s3::{Client, types::CompletedMultipartUpload},
};

use crate::{fault::Fault, rig::Rig, server::BUCKET};

async fn complete(client: &Client) -> Result<(), S3Error> {
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("large").upload_id("1");
    complete.multipart_upload(CompletedMultipartUpload::builder().build()).send().await?;
    Ok(())
}

async fn copy(client: &Client) -> Result<(), S3Error> {
    client.copy_object().bucket(BUCKET).key("copy").copy_source("photos/small").send().await?;
    Ok(())
}

async fn copy_part(client: &Client) -> Result<(), S3Error> {
    let copy = client.upload_part_copy().bucket(BUCKET).key("large").upload_id("1").part_number(1);
    copy.copy_source("photos/small").send().await?;
    Ok(())
}

async fn put(client: &Client) -> Result<(), S3Error> {
    client.put_object().bucket(BUCKET).key("small").body(vec![7; 100].into()).send().await?;
    Ok(())
}

async fn put_part(client: &Client) -> Result<(), S3Error> {
    let put = client.upload_part().bucket(BUCKET).key("large").upload_id("1").part_number(1);
    put.body(vec![7; 100].into()).send().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t22_success_with_a_failure_in_its_body_is_a_failure() {
    let rig = Rig::start().await;
    let client = rig.factory().client().unwrap();
    let cases = [
        (Fault::error("200 OK", "InternalError"), ErrorClass::Transient, Some("InternalError")),
        (Fault::error("200 OK", "SlowDown"), ErrorClass::Throttled, Some("SlowDown")),
        (Fault::error("200 OK", "AccessDenied"), ErrorClass::Permanent, Some("AccessDenied")),
        // S3 sends blanks to keep the connection alive before it knows how the call ends.
        (
            Fault::answer("200 OK", "", "  \n <Error><Code>InternalError</Code></Error>"),
            ErrorClass::Transient,
            Some("InternalError"),
        ),
    ];
    for (fault, class, code) in cases {
        rig.proxy.always(fault.clone());
        for error in writes(&client).await {
            assert_eq!((error.class(), error.code()), (class, code), "{fault:?}: {error}");
            assert_eq!(error.status(), Some(200), "{fault:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t22_success_that_does_not_say_what_was_written_is_a_failure() {
    let rig = Rig::start().await;
    let client = rig.factory().client().unwrap();
    for body in ["", "  \n  ", "<html>captive portal</html>", "<CopyObjectResult/>"] {
        rig.proxy.always(Fault::answer("200 OK", "", body));
        for error in writes(&client).await {
            assert_eq!((error.class(), error.code()), (ErrorClass::Transient, None), "{body}: {error}");
        }
    }
}

/// How each kind of write fails.
async fn writes(client: &Client) -> [S3Error; 5] {
    [complete(client).await, copy(client).await, copy_part(client).await, put(client).await, put_part(client).await]
        .map(|ended| ended.expect_err("nothing was written"))
}
