//! What can go wrong with a request.

use std::time::Duration;

/// What the proxy does to a request.
#[derive(Clone, Debug, Default)]
pub(crate) enum Fault {
    /// Nothing.
    #[default]
    None,
    /// It is passed on after this time.
    Late(Duration),
    /// It is passed on when the proxy is told to let go.
    Held,
    /// The connection is reset instead of an answer.
    Reset,
    /// There is no answer, ever.
    BlackHole,
    /// The answer breaks off after so many bytes.
    Truncated(usize),
    /// The proxy answers with this, and the server never hears of it.
    Answered(String),
}

impl Fault {
    /// An answer with an error of S3.
    pub(crate) fn error(status: &str, code: &str) -> Self {
        Self::answer(status, "", &error_body(code))
    }

    /// Any answer.
    pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Answered(format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        ))
    }

    /// The service asks for fewer requests.
    pub(crate) fn slow_down(headers: &str) -> Self {
        Self::answer("503 Slow Down", headers, &error_body("SlowDown"))
    }
}

fn error_body(code: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Error><Code>{code}</Code><Message>it is {code}</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>"
    )
}
