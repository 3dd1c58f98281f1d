//! Every limit of state stores, in one place, with its unit in the name.

/// Bytes of a collection's name and of a lock's name.
pub const NAME_BYTES_MAX: usize = 1024;
/// Bytes of a token, as BSON. Those of change streams have a few hundred.
pub const TOKEN_BYTES_MAX: usize = 256 * 1024;
/// Documents and arrays within each other in a token.
pub const TOKEN_DEPTH_MAX: usize = 64;
/// Collections on one page of a listing.
pub const PAGE_ENTRIES_MAX: usize = 1000;
/// Batches of one tracker that were received and wait for one to be flushed.
pub const PENDING_MAX: usize = 100_000;
