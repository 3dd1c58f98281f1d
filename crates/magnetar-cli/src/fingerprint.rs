//! What a file was like when it was read, and whether it is still so.

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::Path,
    time::Duration,
};

use magnetar::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 18;
/// A file that was changed so shortly before it was read may be changed again without its time telling: clocks of filesystems
/// tick in steps of up to 2 s (FAT).
const TICK: Duration = Duration::from_secs(2);

/// What a file was like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    /// Its size in bytes.
    size: u64,
    /// When it was changed, in nanoseconds since 1970.
    mtime_ns: i64,
    /// The SHA-256 of its content, in hexadecimal digits.
    pub(crate) sha256: String,
    /// Whether another content would have another time of change.
    is_settled: bool,
}

/// How a file compares with what it was like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// It has not been touched.
    Same,
    /// It has been touched, and has the same content.
    Touched(Fingerprint),
    /// It has another content.
    Changed(Fingerprint),
    /// It is not there any more.
    Gone,
}

impl Fingerprint {
    /// Reads a file.
    ///
    /// # Errors
    /// What the system says; for what is no file, that.
    pub(crate) fn take(path: &Path, now: Timestamp) -> io::Result<Self> {
        // Opening a pipe would wait for somebody to write to it.
        refuse_other_than_file(&path.metadata()?)?;
        let mut file = File::open(path)?;
        let before = file.metadata()?;
        let sha256 = sha256(&mut file)?;
        let after = file.metadata()?;
        let mtime_ns = mtime_ns(&before);
        let is_same = (before.len(), mtime_ns) == (after.len(), self::mtime_ns(&after));
        let tick = i64::try_from(TICK.as_nanos()).unwrap_or(i64::MAX);
        let now_ns = i64::try_from(now.as_millis()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        let is_settled = is_same && mtime_ns < now_ns.saturating_sub(tick);
        Ok(Self { size: before.len(), mtime_ns, sha256, is_settled })
    }

    /// Looks at a file again. Reads it only where its size is the same and its time does not settle it.
    ///
    /// # Errors
    /// As [`take`](Self::take), but for a file that is not there.
    pub(crate) fn compare(&self, path: &Path, now: Timestamp) -> io::Result<Comparison> {
        let metadata = match path.metadata() {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Comparison::Gone);
            }
            metadata => metadata?,
        };
        if self.is_settled && (metadata.len(), mtime_ns(&metadata)) == (self.size, self.mtime_ns) {
            return Ok(Comparison::Same);
        }
        let found = Self::take(path, now)?;
        Ok(match found.sha256 == self.sha256 {
            true if found == *self => Comparison::Same,
            true => Comparison::Touched(found),
            false => Comparison::Changed(found),
        })
    }

    /// What differs, in a few words.
    pub(crate) fn difference(&self, found: &Self) -> String {
        if self.size == found.size {
            "its content differs".to_owned()
        } else {
            format!("it has {} bytes instead of {}", found.size, self.size)
        }
    }
}

fn refuse_other_than_file(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let what = if metadata.is_dir() { "it is a folder, and not a file" } else { "it is no file" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

fn mtime_ns(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

fn sha256(file: &mut impl Read) -> io::Result<String> {
    let mut buffer = vec![0; READ_BYTES];
    let mut digest = Sha256::new();
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hexadecimal(&digest.finalize())),
            Ok(len) => digest.update(buffer.get(..len).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub(crate) fn sha256_of(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, time::SystemTime};

    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    /// A file that was last changed long before `later`.
    fn file(content: &str) -> (tempfile::TempDir, std::path::PathBuf, Timestamp) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, content).unwrap();
        let later: Timestamp = (fs::metadata(&path).unwrap().modified().unwrap() + 10 * TICK).into();
        (folder, path, later)
    }

    fn set_time(path: &Path, time: SystemTime) {
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn file_that_was_not_touched_is_the_same_and_is_not_read() {
        let (_folder, path, later) = file("abc");
        let print = Fingerprint::take(&path, later).unwrap();
        assert_eq!((print.sha256.as_str(), print.is_settled), (ABC, true));
        // Another content with the same size and time is what a look at the file cannot tell.
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, "xyz").unwrap();
        set_time(&path, time);
        assert_eq!(print.compare(&path, later).unwrap(), Comparison::Same);
    }

    #[test]
    fn file_that_was_read_right_after_a_change_is_read_again() {
        let (_folder, path, later) = file("abc");
        let changed = fs::metadata(&path).unwrap().modified().unwrap();
        let print = Fingerprint::take(&path, changed.into()).unwrap();
        assert!(!print.is_settled);
        fs::write(&path, "xyz").unwrap();
        set_time(&path, changed);
        assert!(matches!(print.compare(&path, later).unwrap(), Comparison::Changed(_)));
    }

    #[test]
    fn touched_changed_and_gone_are_told_apart() {
        let (_folder, path, later) = file("abc");
        let print = Fingerprint::take(&path, later).unwrap();
        set_time(&path, SystemTime::UNIX_EPOCH);
        let Comparison::Touched(touched) = print.compare(&path, later).unwrap() else { panic!("not touched") };
        assert_eq!(touched.compare(&path, later).unwrap(), Comparison::Same);
        fs::write(&path, "abcd").unwrap();
        let Comparison::Changed(changed) = print.compare(&path, later).unwrap() else { panic!("not changed") };
        assert_eq!(print.difference(&changed), "it has 4 bytes instead of 3");
        fs::remove_file(&path).unwrap();
        assert_eq!(print.compare(&path, later).unwrap(), Comparison::Gone);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let (folder, _path, later) = file("");
        let error = Fingerprint::take(folder.path(), later).unwrap_err();
        assert_eq!(error.to_string(), "it is a folder, and not a file");
        assert!(Fingerprint::take(Path::new("/dev/null"), later).is_err());
    }
}
