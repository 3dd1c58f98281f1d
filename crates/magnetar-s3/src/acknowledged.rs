//! A write is done when S3 says what it wrote.

use std::fmt;

use aws_sdk_s3::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::AfterDeserializationInterceptorContextRef},
    error::BoxError,
    operation::{
        complete_multipart_upload::CompleteMultipartUploadOutput, copy_object::CopyObjectOutput, put_object::PutObjectOutput,
        upload_part::UploadPartOutput, upload_part_copy::UploadPartCopyOutput,
    },
};
use aws_smithy_runtime_api::client::interceptors::context::Output;

/// Takes no answer to a write for a success that does not carry the entity tag of what was written.
///
/// The SDK finds a failure in the body of an answer with status 200, where it is one in XML. A body that is empty, because S3 had begun to
/// answer when it failed, and the page of something in between that knows nothing of S3 are successes to it.
#[derive(Debug)]
pub(crate) struct Acknowledged;

impl Intercept for Acknowledged {
    fn name(&self) -> &'static str {
        "Acknowledged"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.output_or_error().is_ok_and(is_untagged) {
            return Err("the answer to a write has no entity tag".into());
        }
        Ok(())
    }
}

fn is_untagged(output: &Output) -> bool {
    is_write_without(output, PutObjectOutput::e_tag)
        || is_write_without(output, UploadPartOutput::e_tag)
        || is_write_without(output, CompleteMultipartUploadOutput::e_tag)
        || is_write_without(output, |copied: &CopyObjectOutput| copied.copy_object_result()?.e_tag())
        || is_write_without(output, |copied: &UploadPartCopyOutput| copied.copy_part_result()?.e_tag())
}

fn is_write_without<T: fmt::Debug + Send + Sync + 'static>(output: &Output, tag: fn(&T) -> Option<&str>) -> bool {
    output.downcast_ref().is_some_and(|answer| tag(answer).is_none())
}
