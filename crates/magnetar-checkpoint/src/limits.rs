//! Every limit, in one place, with its unit in the name.

/// Bytes of a checkpoint file, unless told otherwise. A larger one is neither written nor read.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Bytes of all keys and values of a checkpoint's metadata.
pub const METADATA_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of a file in the envelope of older programs, which has to be read into memory whole.
pub const ENVELOPE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Files that are kept aside because they do not verify.
pub const SET_ASIDE_FILES_MAX: usize = 16;
/// Bytes of the files that are kept aside.
pub const SET_ASIDE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How far a sequence may be beyond all that were given out: a name with a larger one was not made here.
pub const SEQUENCE_LEAP_MAX: u64 = 1 << 40;
/// Pinned checkpoints.
pub const PINS_MAX: usize = 1024;

/// Bytes of files that are read again at each save although they seem untouched.
pub(crate) const REVERIFIED_BYTES_MAX: u64 = 1024 * 1024;
/// Bytes of the first line of a checkpoint file.
pub(crate) const HEADER_BYTES_MAX: u64 = 4096;
/// Bytes of the file that says what was acknowledged.
pub(crate) const HEAD_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a damaged file that is searched for a newer version.
pub(crate) const PROBE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How often the folder is looked at again because a file went away in between.
pub(crate) const LOOKS_MAX: usize = 8;
