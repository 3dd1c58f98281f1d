//! The last line of a file: its length, so that what was cut off shows before anything is read, and its digest.

use super::seal::DIGEST_DIGITS;

const LENGTH: &str = "\"bytes\":\"";
const LENGTH_DIGITS: usize = 20;
const DIGEST: &str = "\",\"sha256\":\"";
const END: &str = "\"}\n";

/// Bytes of the last line.
pub(super) const BYTES: u64 = (LENGTH.len() + LENGTH_DIGITS + DIGEST.len() + DIGEST_DIGITS + END.len()) as u64;
/// Bytes of it that are not summed up.
pub(super) const UNSEALED_BYTES: u64 = (DIGEST_DIGITS + END.len()) as u64;

/// The last line up to the digits of the digest, for a file that has so many bytes before it.
pub(super) fn before_digest(bytes_before: u64) -> String {
    format!("{LENGTH}{:0LENGTH_DIGITS$}{DIGEST}", bytes_before + BYTES)
}

/// The rest of the last line.
pub(super) fn end(digits: &str) -> String {
    format!("{digits}{END}")
}

/// The digits of the digest, where this is the last line of a file of so many bytes.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(line: &str, file_bytes: u64) -> Result<&str, String> {
    let cut = || "its end is missing, or it is no checkpoint".to_owned();
    let rest = line.strip_prefix(LENGTH).ok_or_else(cut)?;
    let (length, rest) = rest.split_at_checked(LENGTH_DIGITS).ok_or_else(cut)?;
    let digits = rest.strip_prefix(DIGEST).and_then(|rest| rest.strip_suffix(END)).ok_or_else(cut)?;
    if !length.bytes().all(|byte| byte.is_ascii_digit()) || length.parse() != Ok(file_bytes) {
        return Err(format!("it has {file_bytes} bytes and says that it has {length}"));
    }
    Ok(digits)
}
