//! What the worker wrote into its log. Log lines belong to the whole process, so tests that read
//! them take turns.

use std::io;
use std::sync::{Mutex, Once, PoisonError};

use tokio::sync::{Mutex as TurnMutex, MutexGuard as TurnGuard};

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static TURN: TurnMutex<()> = TurnMutex::const_new(());
static INSTALL: Once = Once::new();

/// The log from here on, until it is dropped.
pub(crate) struct Reading {
    _turn: TurnGuard<'static, ()>,
    from: usize,
}

struct Writer;

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to read.
pub(crate) async fn read() -> Reading {
    INSTALL.call_once(|| {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
            .with_writer(|| Writer)
            .init();
    });
    let turn = TURN.lock().await;
    let from = LINES.lock().unwrap_or_else(PoisonError::into_inner).len();
    Reading { _turn: turn, from }
}

impl Reading {
    /// The lines that hold a text.
    pub(crate) fn lines_with(&self, part: &str) -> Vec<String> {
        let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&lines[self.from..]);
        let found = text.lines().filter(|line| line.contains(part));
        found.map(str::to_owned).collect()
    }
}
