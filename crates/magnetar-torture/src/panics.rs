//! Panics of an engine below, which the product catches: they are counted, and not printed.

use std::{cell::RefCell, panic, sync::Once, thread};

thread_local! {
    /// What panicked while this thread watches; none where it does not.
    static SEEN: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Does something and returns what panicked meanwhile in this thread, caught or not, without a word on stderr. Threads of stores
/// are silent too from the first time on.
pub(crate) fn watch<T>(what: impl FnOnce() -> T) -> (T, Vec<String>) {
    install();
    SEEN.set(Some(Vec::new()));
    let answer = what();
    (answer, SEEN.take().unwrap_or_default())
}

fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_seen = SEEN.with_borrow_mut(|seen| seen.as_mut().map(|seen| seen.push(info.to_string())).is_some());
            let is_of_a_store = thread::current().name().is_some_and(|name| name.starts_with("magnetar-"));
            if !is_seen && !is_of_a_store {
                before(info);
            }
        }));
    });
}
