//! Every limit of the library, in one place, with its unit in the name.

/// Chunks that one manifest document may hold. More go through [`crate::manifest::Lines`].
pub const MANIFEST_CHUNKS_MAX: usize = 1_000_000;
/// Bytes that one manifest document may hold.
pub const MANIFEST_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Chunks that one stream of JSON lines may hold.
pub const MANIFEST_LINES_MAX: usize = 10_000_000;
/// Bytes of one line of a JSON lines manifest.
pub const MANIFEST_LINE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Chunks that are inserted in one commit when a manifest is read as a stream.
pub const STREAM_BATCH_CHUNKS: usize = 10_000;

/// The largest chunk id, job id and fence token: what every backend can hold and order.
pub const ID_MAX: u64 = i64::MAX as u64;
/// Bytes of a chunk's payload.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a chunk's `extra`, as JSON text.
pub const EXTRA_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a result.
pub const RESULT_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of an error text that are kept; what is longer is cut, not refused.
pub const ERROR_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a checksum.
pub const CHECKSUM_BYTES_MAX: usize = 1024;
/// Bytes of an idempotency key.
pub const KEY_BYTES_MAX: usize = 512;
/// Bytes of a job's name or kind.
pub const NAME_BYTES_MAX: usize = 512;
/// Bytes of a lane's name.
pub const LANE_BYTES_MAX: usize = 64;
/// Dependencies that one chunk may name.
pub const DEPENDENCIES_MAX: usize = 1_000_000;

/// Chunks that one claim may take.
pub const CLAIM_CHUNKS_MAX: usize = 10_000;
/// Lanes that one claim may name.
pub const CLAIM_LANES_MAX: usize = 1024;
/// Ops in one group.
pub const GROUP_OPS_MAX: usize = 1024;
/// Groups in one call of `submit`.
pub const SUBMIT_GROUPS_MAX: usize = 100_000;
/// Rows on one page of a listing.
pub const PAGE_ROWS_MAX: usize = 10_000;
/// Chunks that one prune looks at.
pub const PRUNE_CHUNKS_MAX: usize = 10_000;

/// Bytes of a record's space.
pub const SPACE_BYTES_MAX: usize = 64;
/// Bytes of a record's key.
pub const RECORD_KEY_BYTES_MAX: usize = 1024;
/// Bytes of a record's value.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// Failures after which a chunk ends as Failed, where neither job nor chunk say otherwise.
pub const FAILS_DEFAULT: u32 = 3;
/// Lost leases after which a chunk ends as Failed, where the job does not say otherwise.
pub const CRASHES_DEFAULT: u32 = 3;
