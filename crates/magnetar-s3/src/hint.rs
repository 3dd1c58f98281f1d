//! How long an answer asks to be left alone.

use std::time::Duration;

use aws_sdk_s3::{
    config::http::HttpResponse,
    primitives::{DateTime, DateTimeFormat},
};

/// A hint beyond this counts as this: no server may put a client to sleep for a day.
const LONGEST: Duration = Duration::from_mins(10);

/// What the headers of an answer ask for: `x-amz-retry-after` in milliseconds, else `Retry-After` in seconds or as a date.
pub(crate) fn of_response(response: &HttpResponse) -> Option<Duration> {
    let header = |name: &str| response.headers().get(name).map(str::trim);
    let millis = header("x-amz-retry-after").and_then(|text| text.parse().ok()).map(Duration::from_millis);
    let wait = millis.or_else(|| wait(header("retry-after")?, header("date")))?;
    Some(wait.min(LONGEST))
}

/// The wait of a `Retry-After`. A date is taken from the server's own, which the same answer carries: two clocks need not agree.
fn wait(text: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let seconds = |text| DateTime::from_str(text, DateTimeFormat::HttpDate).ok().map(|date| date.secs());
    let left = seconds(text)?.saturating_sub(seconds(date?)?);
    Some(Duration::from_secs(u64::try_from(left).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::primitives::SdkBody;

    use super::*;

    fn hint(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let mut response = HttpResponse::new(503.try_into().unwrap(), SdkBody::empty());
        for (name, value) in headers {
            response.headers_mut().insert(*name, *value);
        }
        of_response(&response)
    }

    #[test]
    fn hint_is_read_in_each_of_its_forms() {
        assert_eq!(hint(&[("x-amz-retry-after", "1500")]), Some(Duration::from_millis(1500)));
        assert_eq!(hint(&[("Retry-After", " 7 ")]), Some(Duration::from_secs(7)));
        let dates = [("Retry-After", "Wed, 21 Oct 2015 07:28:30 GMT"), ("Date", "Wed, 21 Oct 2015 07:28:00 GMT")];
        assert_eq!(hint(&dates), Some(Duration::from_secs(30)));
        assert_eq!(hint(&[("x-amz-retry-after", "20"), ("Retry-After", "7")]), Some(Duration::from_millis(20)));
    }

    #[test]
    fn hint_that_makes_no_sense_is_none() {
        assert_eq!(hint(&[]), None);
        for text in ["", "soon", "-1", "1.5", "99999999999999999999", "Wed, 21 Oct 2015 07:28:30 GMT"] {
            assert_eq!(hint(&[("Retry-After", text)]), None, "{text}");
            assert_eq!(hint(&[("x-amz-retry-after", text)]), None, "{text}");
        }
    }

    #[test]
    fn hint_is_bounded() {
        let past = [("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"), ("Date", "Wed, 21 Oct 2015 07:28:30 GMT")];
        assert_eq!(hint(&past), Some(Duration::ZERO));
        for text in ["86400", "18446744073709551615"] {
            assert_eq!(hint(&[("Retry-After", text)]), Some(LONGEST), "{text}");
        }
    }
}
