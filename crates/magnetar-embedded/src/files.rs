//! Where a store of one file is, how the file comes to be, and whether it is still there.
//!
//! What backends that keep a store in a file share, whatever is in it. [`Place::of`] says where the file is and that a store
//! can be there; [`Place::create_where_absent`] makes it, whole or not at all; [`Identity`] tells whether the file that is
//! open is still the one under its name. Errors name the file and the way out.

mod beside;
mod create;
mod error;
mod identity;
mod mounts;
mod patience;
mod place;

pub use self::{
    beside::{beside, lock_folder},
    error::{refuse, system_error},
    identity::{FileId, Identity},
    patience::Patience,
    place::Place,
};
