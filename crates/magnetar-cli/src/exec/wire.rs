//! How `magnetar run` and its supervisor talk: frames of a length and a message each.

use std::io;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{command::Command, outcome::Outcome};

/// Bytes of the largest message. A command is as large as what the system lets a program have, which is less.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// What `magnetar run` says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Run a command, under a number of the caller's.
    Start(u64, Command),
    /// Kill the command of this number. One that has ended is no error.
    Stop(u64),
}

/// What the supervisor says: what came of the command of this number.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report(pub(super) u64, pub(super) Outcome);

/// Appends a message to a buffer.
pub(super) fn put(buffer: &mut Vec<u8>, message: &impl Serialize) -> io::Result<()> {
    let begin = buffer.len();
    buffer.extend_from_slice(&[0; 4]);
    let written = postcard::to_extend(message, std::mem::take(buffer)).map_err(io::Error::other)?;
    *buffer = written;
    let len = buffer.len() - begin - 4;
    if len > MESSAGE_BYTES_MAX {
        buffer.truncate(begin);
        return Err(io::Error::new(io::ErrorKind::ArgumentListTooLong, "a command is larger than 16 MiB"));
    }
    if let (Some(prefix), Ok(len)) = (buffer.get_mut(begin..begin + 4), u32::try_from(len)) {
        prefix.copy_from_slice(&len.to_le_bytes());
    }
    Ok(())
}

/// Reads a message; none where the other side is gone.
pub(super) async fn get<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> io::Result<Option<T>> {
    let mut prefix = [0; 4];
    match stream.read_exact(&mut prefix).await {
        Ok(_) => {}
        // A process that is killed may leave a message half written, or its end unread.
        Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => return Ok(None),
        Err(error) => return Err(error),
    }
    let len = u32::from_le_bytes(prefix) as usize;
    if len > MESSAGE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is larger than 16 MiB"));
    }
    buffer.resize(len, 0);
    match stream.read_exact(buffer).await {
        Ok(_) => postcard::from_bytes(buffer).map(Some).map_err(io::Error::other),
        Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn message_comes_out_as_it_went_in() {
        use std::{ffi::OsString, os::unix::ffi::OsStringExt};

        let command = Command {
            program: "gzip".into(),
            args: vec!["-k".into(), OsString::from_vec(b"not \xff utf-8\n".to_vec())],
            env: vec![("A".into(), "b".into())],
            cwd: "/".into(),
            timeout: Some(Duration::from_millis(1)),
        };
        let mut bytes = Vec::new();
        put(&mut bytes, &Request::Start(7, command.clone())).unwrap();
        put(&mut bytes, &Request::Stop(7)).unwrap();
        let (mut stream, mut buffer) = (&*bytes, Vec::new());
        let first = get(&mut stream, &mut buffer).await.unwrap();
        assert!(matches!(first, Some(Request::Start(7, read)) if read == command));
        assert!(matches!(get(&mut stream, &mut buffer).await.unwrap(), Some(Request::Stop(7))));
        assert!(get::<Request>(&mut stream, &mut buffer).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn message_cut_short_is_the_end() {
        let mut bytes = Vec::new();
        put(&mut bytes, &Request::Stop(7)).unwrap();
        for len in 0..bytes.len() {
            assert!(get::<Request>(&mut &bytes[..len], &mut Vec::new()).await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn message_of_any_claimed_size_is_refused_or_read() {
        let error = get::<Request>(&mut &[0xff_u8; 8][..], &mut Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
