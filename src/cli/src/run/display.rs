//! Standard output for rows, standard error for everything else. On a terminal the last line is the progress, drawn
//! over in place; otherwise progress is a line now and then.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often progress is printed where it cannot be drawn over.
const LINE_EVERY: Duration = Duration::from_secs(5);

pub struct Display {
    in_place: bool,
    drawn: bool,
    printed: Option<Instant>,
}

impl Display {
    pub fn new() -> Self {
        Self { in_place: io::stderr().is_terminal(), drawn: false, printed: None }
    }

    /// A row of a print table. Writing fails when whoever read the output has gone, as with `| head`.
    pub fn output(&mut self, line: &str) -> io::Result<()> {
        self.erase();
        writeln!(io::stdout().lock(), "{line}")
    }

    /// Something that a person should read.
    pub fn note(&mut self, line: &str) {
        self.erase();
        eprintln!("{line}");
    }

    pub fn progress(&mut self, line: &str) {
        if self.in_place {
            self.erase();
            // without wrapping, for only the last line could be erased
            eprint!("\x1b[?7l{line}\x1b[?7h");
            let _ = io::stderr().flush();
            self.drawn = true;
        } else if self.printed.is_none_or(|printed| printed.elapsed() >= LINE_EVERY) {
            self.printed = Some(Instant::now());
            eprintln!("{line}");
        }
    }

    fn erase(&mut self) {
        if self.drawn {
            eprint!("\r\x1b[2K");
            let _ = io::stderr().flush();
            self.drawn = false;
        }
    }
}
