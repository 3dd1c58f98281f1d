//! An error of S3, whichever operation it came from.

use std::{error::Error as StdError, time::Duration};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{BoxError, ConnectorError, ProvideErrorMetadata, SdkError},
    operation::RequestId,
    primitives::ByteStreamError,
};
use magnetar_resilience::{Classify, ErrorClass, ResilienceError};

use crate::{class, hint};

/// Why a call of S3 failed, and what that means for a retry and a breaker.
///
/// `?` makes one of every error of the SDK, so an operation may be several calls and the reading of a body:
///
/// ```
/// # use magnetar_s3::{S3Error, aws_sdk_s3::Client};
/// async fn fetch(client: &Client, key: &str) -> Result<Vec<u8>, S3Error> {
///     let answer = client.get_object().bucket("photos").key(key).send().await?;
///     Ok(answer.body.collect().await?.to_vec())
/// }
/// ```
///
/// What the server said beyond its code and message is dropped: the body of a `SignatureDoesNotMatch` repeats the session token.
#[derive(Debug, thiserror::Error)]
#[error("{}", .failure)]
pub struct S3Error {
    failure: Failure,
    class: ErrorClass,
    retry_after: Option<Duration>,
    source: BoxError,
}

/// At which point the call failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the request could not be made")]
    Construction,
    #[error("S3 could not be reached")]
    Unreachable,
    #[error("the call broke off")]
    Broken,
    #[error("the call took too long")]
    Timeout,
    #[error("the answer could not be read")]
    Unreadable,
    #[error("S3 answered {}{}{}", .0.shown_code(), .0.shown_message(), .0.shown_request())]
    Answer(Answer),
}

/// What is kept of an answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
}

impl S3Error {
    /// The code of the answer, as `NoSuchKey`; none where there was no answer or none in it.
    pub fn code(&self) -> Option<&str> {
        self.answer()?.code.as_deref()
    }

    /// The HTTP status of the answer, where there was one. It may be 200: S3 tells of some failures after it began to answer.
    pub fn status(&self) -> Option<u16> {
        Some(self.answer()?.status)
    }

    /// The error of the SDK, as the `GetObjectError` of a `GetObject`, without the raw answer.
    pub fn into_source(self) -> BoxError {
        self.source
    }

    fn answer(&self) -> Option<&Answer> {
        match &self.failure {
            Failure::Answer(answer) => Some(answer),
            _ => None,
        }
    }

    fn new(failure: Failure, class: ErrorClass, source: BoxError) -> Self {
        Self { failure, class, retry_after: None, source }
    }
}

impl Classify for S3Error {
    fn class(&self) -> ErrorClass {
        self.class
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl<E: StdError + ProvideErrorMetadata + Send + Sync + 'static> From<SdkError<E, HttpResponse>> for S3Error {
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        match error {
            SdkError::ServiceError(context) => {
                let (answer, retry_after) = (Answer::of(context.err(), context.raw()), hint::of_response(context.raw()));
                let class = class::of_answer(answer.status, answer.code.as_deref());
                Self { failure: Failure::Answer(answer), class, retry_after, source: context.into_err().into() }
            }
            SdkError::ConstructionFailure(_) => Self::new(UNMADE.0, UNMADE.1, source(error)),
            SdkError::TimeoutError(_) => Self::new(Failure::Timeout, ErrorClass::Transient, source(error)),
            SdkError::DispatchFailure(ref context) => {
                let (failure, class) = context.as_connector_error().map_or(BROKEN, of_connector);
                Self::new(failure, class, source(error))
            }
            _ => Self::new(Failure::Unreadable, ErrorClass::Transient, source(error)),
        }
    }
}

/// The body of an answer broke off, or its checksum does not match.
impl From<ByteStreamError> for S3Error {
    fn from(error: ByteStreamError) -> Self {
        Self::new(Failure::Unreadable, ErrorClass::Transient, error.into())
    }
}

impl From<S3Error> for ResilienceError {
    fn from(error: S3Error) -> Self {
        match error.class {
            ErrorClass::Throttled => Self::Throttled { message: error.to_string(), retry_after: error.retry_after },
            class => Self::foreign(class, error),
        }
    }
}

/// Nothing was sent, and nothing is said about the service: as if one of our own parts had refused.
const UNMADE: (Failure, ErrorClass) = (Failure::Construction, ErrorClass::Rejected);
const BROKEN: (Failure, ErrorClass) = (Failure::Broken, ErrorClass::Transient);

/// Nothing was sent where no connection came about. Of a timeout it is not told whether the request was on its way.
fn of_connector(error: &ConnectorError) -> (Failure, ErrorClass) {
    if error.is_user() || error.source().is_some_and(<dyn StdError>::is::<CredentialsError>) {
        UNMADE
    } else if error.is_timeout() {
        (Failure::Timeout, ErrorClass::Transient)
    } else if error.connection_metadata().is_none() {
        (Failure::Unreachable, ErrorClass::Unsent)
    } else {
        BROKEN
    }
}

/// The cause alone: an error of the SDK would show the raw answer in its `Debug`.
fn source<E: StdError + Send + Sync + 'static>(error: SdkError<E, HttpResponse>) -> BoxError {
    error.into_source().unwrap_or_else(|error| error.to_string().into())
}

impl Answer {
    /// So many characters of a message are kept.
    const MESSAGE_MAX: usize = 500;

    fn of(error: &impl ProvideErrorMetadata, raw: &HttpResponse) -> Self {
        let meta = error.meta();
        Self {
            status: raw.status().as_u16(),
            code: meta.code().map(str::to_owned),
            message: meta.message().map(|message| message.chars().take(Self::MESSAGE_MAX).collect()),
            request_id: meta.request_id().map(str::to_owned),
        }
    }

    fn shown_code(&self) -> String {
        let status = self.status;
        self.code.as_deref().map_or_else(|| format!("with status {status}"), |code| format!("{code} (status {status})"))
    }

    fn shown_message(&self) -> String {
        self.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default()
    }

    fn shown_request(&self) -> String {
        self.request_id.as_deref().map(|id| format!(" (request {id})")).unwrap_or_default()
    }
}
