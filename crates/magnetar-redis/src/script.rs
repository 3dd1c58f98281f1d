//! What the server runs for us, each as one step: nothing comes in between, and a crash leaves all of it or nothing.

/// A script and the hash under which the server knows it, once it has seen it.
pub(crate) struct Script {
    pub(crate) code: String,
    pub(crate) sha1: String,
}

/// The scripts, which begin with what they share.
pub(crate) struct Scripts {
    pub(crate) write: Script,
    pub(crate) read: Script,
    pub(crate) acquire: Script,
    pub(crate) renew: Script,
    pub(crate) release: Script,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            write: Script::new(include_str!("script/write.lua")),
            read: Script::new(include_str!("script/read.lua")),
            acquire: Script::new(include_str!("script/acquire.lua")),
            renew: Script::new(include_str!("script/renew.lua")),
            release: Script::new(include_str!("script/release.lua")),
        }
    }
}

impl Script {
    fn new(own: &str) -> Self {
        let code = format!("{}\n{own}", include_str!("script/record.lua"));
        let sha1 = redis::Script::new(&code).get_hash().to_owned();
        Self { code, sha1 }
    }
}
