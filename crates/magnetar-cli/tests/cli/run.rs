//! `magnetar run`: what it runs, what it leaves alone, and what is left of it when it is killed.

mod again;
mod bad_input;
mod commands;
mod crash;
mod demo;
mod each;
mod full_disk;
mod groups;
mod manifest;
mod preview;
mod progress;
mod signals;
mod supervisor;
mod support;
mod two;
