//! Magnetar's worker: claims chunks of any store, runs a handler on them, and writes down what came of it.
