//! Objects of one bucket, put and fetched through a stack of policies. The test suite runs this file too.

use std::sync::Arc;

use bytes::Bytes;
use magnetar_resilience::{ByClass, ConnectionPool, Error, Policy, Pooled};
use magnetar_s3::{
    S3Connection, S3Error,
    aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart},
};
use tokio::task::JoinSet;

/// Why an operation failed, after all its attempts.
pub(crate) type Failed = Error<S3Error>;

/// A bucket, behind a stack.
pub(crate) struct Store {
    policy: Policy<ConnectionPool<S3Connection>>,
    bucket: String,
}

impl Store {
    /// A bucket, each request to which goes through this stack.
    pub(crate) fn new(policy: Policy<ConnectionPool<S3Connection>>, bucket: &str) -> Arc<Self> {
        Arc::new(Self { policy, bucket: bucket.to_owned() })
    }

    /// Puts an object with one request; its entity tag.
    pub(crate) async fn put(&self, key: &str, object: &Bytes) -> Result<String, Failed> {
        self.run(|s3| async move {
            // The body is made anew for each attempt. The bytes are shared.
            let put = s3.put_object().bucket(&self.bucket).key(key).body(object.clone().into());
            Ok(put.send().await?.e_tag.unwrap_or_default())
        })
        .await
    }

    /// Fetches an object, and its entity tag.
    pub(crate) async fn get(&self, key: &str) -> Result<(Bytes, String), Failed> {
        self.run(|s3| async move {
            let answer = s3.get_object().bucket(&self.bucket).key(key).send().await?;
            // Within the attempt: the connection is busy until the body is read, and its timeout covers a body that stalls.
            let object = answer.body.collect().await?.into_bytes();
            Ok((object, answer.e_tag.unwrap_or_default()))
        })
        .await
    }

    /// Puts an object in parts of a size, as many at a time as the pool has connections; its entity tag. S3 wants parts of at
    /// least 5 MiB, but for the last.
    pub(crate) async fn put_in_parts(self: &Arc<Self>, key: &str, object: &Bytes, part_size: usize) -> Result<String, Failed> {
        let upload = self.begin(key).await?;
        let finished = match self.put_parts(key, &upload, object, part_size).await {
            Ok(parts) => self.complete(key, &upload, &parts).await,
            Err(error) => Err(error),
        };
        if finished.is_err() {
            // Else the parts would be kept, and paid for. Where this fails too, a lifecycle rule of the bucket has to do it.
            let _aborted = self.abort(key, &upload).await;
        }
        finished
    }

    async fn put_parts(
        self: &Arc<Self>,
        key: &str,
        upload: &str,
        object: &Bytes,
        part_size: usize,
    ) -> Result<Vec<CompletedPart>, Failed> {
        let mut tasks = JoinSet::new();
        for (number, start) in (1..).zip((0..object.len()).step_by(part_size)) {
            let part = object.slice(start..object.len().min(start + part_size));
            let (store, key, upload) = (Arc::clone(self), key.to_owned(), upload.to_owned());
            tasks.spawn(async move { store.put_part(&key, &upload, number, &part).await });
        }
        let mut parts = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            // A task that panicked is a bug of this program.
            parts.push(ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?);
        }
        parts.sort_by_key(|part| part.part_number);
        Ok(parts)
    }

    /// Each attempt is boxed: the futures of the SDK are large, and the stack would hold room for several.
    async fn run<T, Fut: Future<Output = Result<T, S3Error>>>(
        &self,
        op: impl Fn(Pooled<S3Connection>) -> Fut,
    ) -> Result<T, Failed> {
        self.policy.run(&ByClass, |s3| Box::pin(op(s3))).await
    }

    async fn begin(&self, key: &str) -> Result<String, Failed> {
        self.run(|s3| async move {
            let begun = s3.create_multipart_upload().bucket(&self.bucket).key(key).send().await?;
            Ok(begun.upload_id.unwrap_or_default())
        })
        .await
    }

    async fn put_part(&self, key: &str, upload: &str, number: i32, part: &Bytes) -> Result<CompletedPart, Failed> {
        self.run(|s3| async move {
            let put = s3.upload_part().bucket(&self.bucket).key(key).upload_id(upload).part_number(number);
            let answer = put.body(part.clone().into()).send().await?;
            Ok(CompletedPart::builder().part_number(number).set_e_tag(answer.e_tag).build())
        })
        .await
    }

    async fn complete(&self, key: &str, upload: &str, parts: &[CompletedPart]) -> Result<String, Failed> {
        self.run(|s3| async move {
            let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build();
            let complete = s3.complete_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload).multipart_upload(parts);
            Ok(complete.send().await?.e_tag.unwrap_or_default())
        })
        .await
    }

    async fn abort(&self, key: &str, upload: &str) -> Result<(), Failed> {
        self.run(|s3| async move {
            s3.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload).send().await?;
            Ok(())
        })
        .await
    }
}
