//! Panics of an engine below, which the product catches: they are counted, and not printed.

use std::{cell::RefCell, panic, sync::Once};

thread_local! {
    /// What panicked while this thread watches; none where it does not.
    static SEEN: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Does something and returns what panicked meanwhile in this thread, caught or not, without a word on stderr.
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
            if !is_seen {
                before(info);
            }
        }));
    });
}
