//! The three plain methods, for stores that have the compare-and-set core: each is one line there.

use bson::Document;

use crate::{
    entry::{Guard, Loaded},
    error::{Result, StateError},
    store::StateStore,
};

/// [`StateStore::save_resume_token`] as a save that meets everything nobody has fenced.
pub async fn save<S: StateStore + ?Sized>(store: &S, collection: &str, token: Document) -> Result<()> {
    store.save(collection, token, Guard::default(), None).await.map(drop)
}

/// [`StateStore::load_resume_token`] as a load that does not mistake what has expired for what never was.
pub async fn load<S: StateStore + ?Sized>(store: &S, collection: &str) -> Result<Option<Document>> {
    match store.load(collection).await? {
        Loaded::Absent => Ok(None),
        Loaded::Found(entry) => Ok(Some(entry.token)),
        Loaded::Expired { at, .. } => Err(StateError::Expired { collection: collection.into(), at }),
    }
}

/// [`StateStore::clear_resume_token`] as a clear that meets everything nobody has fenced.
pub async fn clear<S: StateStore + ?Sized>(store: &S, collection: &str) -> Result<()> {
    store.clear(collection, Guard::default()).await.map(drop)
}
