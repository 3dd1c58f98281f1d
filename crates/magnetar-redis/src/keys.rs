//! The names of keys.

/// The keys of one store. What is in braces decides the slot of a Cluster, so that all keys of a store are on one master and one script can
/// write to several of them.
///
/// The kind of a key comes before the name that is kept under it, and the name is the rest: whatever characters it has, no two keys are the same.
#[derive(Clone)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    pub(crate) fn new(namespace: &str) -> Self {
        Self { prefix: format!("{{{namespace}}}") }
    }

    /// A sorted set of the collections that have a token, all with the same score, so that it is sorted by name.
    pub(crate) fn index(&self) -> String {
        format!("{}:index", self.prefix)
    }

    /// A hash of what is known of a collection. It never expires.
    pub(crate) fn record(&self, collection: &str) -> String {
        format!("{}:record:{collection}", self.prefix)
    }

    /// The token of a collection, as BSON. It expires a little after its time.
    pub(crate) fn value(&self, collection: &str) -> String {
        format!("{}:value:{collection}", self.prefix)
    }

    /// Who holds a lock. It expires with it.
    pub(crate) fn lock(&self, name: &str) -> String {
        format!("{}:lock:{name}", self.prefix)
    }

    /// The epoch of a lock that was handed out last. It never expires.
    pub(crate) fn epoch(&self, name: &str) -> String {
        format!("{}:epoch:{name}", self.prefix)
    }
}
