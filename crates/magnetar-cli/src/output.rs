//! What goes to stdout: data, as a table for people, or as JSON or CSV for programs. Talk goes to stderr.

pub(crate) mod style;
pub(crate) mod table;

use std::io::{self, IsTerminal, Stdout, Write};

use anstream::AutoStream;
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::text::steers;

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 64 << 10;

/// How data is printed.
#[derive(Args, Debug)]
pub(crate) struct OutputArgs {
    /// How to print data
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Format,
}

/// What data is printed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people, fitted to the terminal
    Table,
    /// For programs
    Json,
    /// For programs and spreadsheets, with a header (RFC 4180)
    Csv,
}

/// The standard output. What is written is gathered; [`Out::finish`] writes the rest of it.
pub(crate) struct Out {
    stream: AutoStream<Stdout>,
    buffer: Vec<u8>,
    is_terminal: bool,
}

impl Out {
    pub(crate) fn new() -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        Self { stream: AutoStream::auto(stdout), buffer: Vec::with_capacity(BUFFER_BYTES), is_terminal }
    }

    /// Whether somebody is looking.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Columns of the terminal; none where there is none, or it does not say.
    pub(crate) fn width(&self) -> Option<usize> {
        let (width, _) = terminal_size::terminal_size_of(io::stdout()).filter(|_| self.is_terminal)?;
        Some(usize::from(width.0)).filter(|width| *width > 0)
    }

    /// Rows of the terminal.
    pub(crate) fn height(&self) -> Option<usize> {
        let (_, height) = terminal_size::terminal_size_of(io::stdout()).filter(|_| self.is_terminal)?;
        Some(usize::from(height.0)).filter(|height| *height > 0)
    }

    /// Lines as they are.
    pub(crate) fn lines(&mut self, lines: &[String]) -> Result<()> {
        lines.iter().try_for_each(|line| writeln!(self, "{line}"))?;
        Ok(())
    }

    /// Records of CSV.
    pub(crate) fn csv(&mut self, write: impl FnOnce(&mut csv::Writer<&mut Self>) -> csv::Result<()>) -> Result<()> {
        let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(self);
        write(&mut csv)?;
        csv.into_inner().map_err(csv::IntoInnerError::into_error)?;
        Ok(())
    }

    /// Moves the cursor up so many lines and clears what is below; on a terminal only, whatever is said of color.
    pub(crate) fn go_up(&mut self, lines: usize) -> Result<()> {
        self.flush()?;
        if lines > 0 {
            write!(io::stdout(), "\x1b[{lines}A\x1b[J")?;
        }
        Ok(())
    }

    /// One document of JSON, laid out over lines.
    pub(crate) fn json(&mut self, document: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(document)?;
        self.json_text(&text)
    }

    /// One document of JSON on a line of its own.
    pub(crate) fn json_line(&mut self, document: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(document)?;
        self.json_text(&text)
    }

    /// JSON escapes only some of what steers a terminal; the rest may be escaped as well.
    fn json_text(&mut self, text: &str) -> Result<()> {
        if text.chars().any(|letter| letter != '\n' && steers(letter)) {
            for letter in text.chars() {
                match letter {
                    // What is left of these here stands in strings, and all of it is in the basic plane.
                    letter if letter != '\n' && steers(letter) => write!(self, "\\u{:04x}", u32::from(letter))?,
                    letter => write!(self, "{letter}")?,
                }
            }
            writeln!(self)?;
        } else {
            writeln!(self, "{text}")?;
        }
        Ok(())
    }

    /// Writes what is left.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.flush()?;
        Ok(())
    }

    fn write_out(&mut self) -> io::Result<()> {
        let written = self.stream.write_all(&self.buffer);
        self.buffer.clear();
        written
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES {
            self.write_out()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_out()?;
        self.stream.flush()
    }
}
