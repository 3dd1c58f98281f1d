//! What an answer of S3 means, by its code and its status.

use magnetar_resilience::ErrorClass;

/// The class of an answer that is an error.
///
/// The code comes first: S3 sends `RequestTimeout` with status 400, and `InternalError` with status 200 where it had begun to
/// answer before it failed.
pub(crate) fn of_answer(status: u16, code: Option<&str>) -> ErrorClass {
    match code {
        Some(code) if is_throttling(code) => ErrorClass::Throttled,
        Some("InternalError" | "RequestTimeout" | "RequestTimeoutException" | "ServiceUnavailable") => ErrorClass::Transient,
        // A success that cannot be read: a body that is empty or no XML.
        None if (200..300).contains(&status) => ErrorClass::Transient,
        _ => of_status(status),
    }
}

/// Answers without a code we know: those to HEAD, those of a load balancer in between.
fn of_status(status: u16) -> ErrorClass {
    match status {
        429 => ErrorClass::Throttled,
        // Not implemented, and a version of HTTP that is not spoken: so it stays.
        501 | 505 => ErrorClass::Permanent,
        408 | 500.. => ErrorClass::Transient,
        _ => ErrorClass::Permanent,
    }
}

fn is_throttling(code: &str) -> bool {
    // S3's own, and those that services which speak its protocol borrow from other services of AWS.
    const CODES: &[&str] = &[
        "SlowDown",
        "SlowDownRead",
        "SlowDownWrite",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "TooManyRequests",
        "TooManyRequestsException",
    ];
    CODES.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, code: &str, expected: ErrorClass) {
        let code = (!code.is_empty()).then_some(code);
        assert_eq!(of_answer(status, code), expected, "{status} {code:?}");
    }

    #[test]
    fn t22_code_is_believed_before_the_status() {
        check(503, "SlowDown", ErrorClass::Throttled);
        check(200, "SlowDown", ErrorClass::Throttled);
        check(200, "InternalError", ErrorClass::Transient);
        check(400, "RequestTimeout", ErrorClass::Transient);
        check(503, "ServiceUnavailable", ErrorClass::Transient);
        check(200, "NoSuchUpload", ErrorClass::Permanent);
    }

    #[test]
    fn t11_answers_that_stay_the_same_are_permanent() {
        for (status, code) in [(404, "NoSuchKey"), (404, ""), (403, "AccessDenied"), (403, "")] {
            check(status, code, ErrorClass::Permanent);
        }
        for (status, code) in
            [(301, "PermanentRedirect"), (412, "PreconditionFailed"), (400, "ExpiredToken"), (501, "NotImplemented")]
        {
            check(status, code, ErrorClass::Permanent);
        }
    }

    #[test]
    fn status_decides_where_no_code_does() {
        for status in [408, 500, 502, 503, 504, 520, 599, u16::MAX] {
            check(status, "", ErrorClass::Transient);
            check(status, "NeverHeardOf", ErrorClass::Transient);
        }
        check(429, "", ErrorClass::Throttled);
        check(200, "", ErrorClass::Transient);
        check(505, "", ErrorClass::Permanent);
    }
}
