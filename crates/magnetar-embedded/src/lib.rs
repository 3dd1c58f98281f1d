//! The engine that Magnetar's single-writer backends share.
mod audit;
mod backend;
mod engine;
mod key;
mod locks;
mod look;
mod options;
mod read;
mod row;
mod stop;
mod table;
mod txn;
mod writes;
