//! How a backend's own type of store forwards to the [`Store`](crate::Store) in it.

/// Implements `JobStore` for a struct whose first field is a [`Store`](crate::Store), by that store.
///
/// ```
/// struct OurStore(magnetar_embedded::Store);
///
/// magnetar_embedded::forward_job_store!(OurStore);
/// ```
#[macro_export]
macro_rules! forward_job_store {
    ($store:ident) => {
        const _: () = {
            use $crate::parts::{Answer, Capabilities, Group, JobStore, Query, Rejection, Reply, Result, async_trait};

            #[async_trait]
            impl JobStore for $store {
                async fn submit(&self, groups: Vec<Group>) -> Result<Vec<Result<Vec<Reply>, Rejection>>> {
                    self.0.submit(groups).await
                }

                async fn read(&self, query: Query) -> Result<Answer> {
                    self.0.read(query).await
                }

                async fn watch(&self, seen: u64) -> Result<u64> {
                    self.0.watch(seen).await
                }

                fn capabilities(&self) -> Capabilities {
                    self.0.capabilities()
                }

                async fn close(&self) -> Result<()> {
                    self.0.close().await
                }
            }
        };
    };
}

/// What the macro names.
pub mod parts {
    pub use async_trait::async_trait;
    pub use magnetar_core::{Answer, Capabilities, Group, JobStore, Query, Rejection, Reply, Result};
}
