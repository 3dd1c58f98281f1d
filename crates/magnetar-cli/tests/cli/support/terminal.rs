//! The program on a pseudo-terminal.

use std::{
    ffi::OsStr,
    fs::File,
    io::{ErrorKind, Read},
    os::unix::ffi::OsStrExt,
    process::{Child, Command},
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// A program that believes that somebody looks. It is killed where a test ends before it.
pub(crate) struct Terminal {
    child: Child,
    master: File,
    seen: Vec<u8>,
}

impl Terminal {
    /// Starts the program on a terminal of this size.
    pub(crate) fn start(mut command: Command, columns: u16, rows: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let open = || File::options().read(true).write(true).open(OsStr::from_bytes(name.as_bytes())).unwrap();
        let child = command.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
        // What is left of the terminal here goes with the command, so the reading ends when the program does.
        drop(command);
        Self { child, master: File::from(master), seen: Vec::new() }
    }

    /// Reads until this has been printed, since the last time.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) -> String {
        loop {
            let seen = String::from_utf8_lossy(&self.seen).into_owned();
            if let Some(at) = seen.find(text) {
                let (read, rest) = seen.split_at(at + text.len());
                self.seen = rest.as_bytes().to_vec();
                return read.to_owned();
            }
            assert!(self.read(), "{text:?} was not printed, but {seen:?}");
        }
    }

    /// Reads the rest, and returns it with the exit code.
    pub(crate) fn rest(mut self) -> (String, Option<i32>) {
        while self.read() {}
        (String::from_utf8(std::mem::take(&mut self.seen)).unwrap(), self.child.wait().unwrap().code())
    }

    fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.master.read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.seen.extend_from_slice(&buffer[..count]);
                true
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            // The terminal's other end is closed.
            Err(_) => false,
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
