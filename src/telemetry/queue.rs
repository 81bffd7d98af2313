//! The way of log lines to standard error: through a bounded queue to a thread of their own, the only one that ever waits
//! for whoever reads the log. A line that finds the queue full, or that cannot be written, is lost and counted.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder};
use tracing_subscriber::fmt::MakeWriter;

use crate::clock::Stopwatch;
use crate::fields::{Notation, visible};

/// Some twenty megabytes at the most, where paths are long, and a burst of a third of a second at full speed.
const LONGEST: usize = 16_384;
/// How long the last lines may take.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(2);

/// The queue, as those who log have it.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    lines: NonBlocking,
    notation: Notation,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Lines that were to be queued.
    taken: AtomicUsize,
    /// Lines that found the queue full.
    refused: OnceLock<ErrorCounter>,
    /// Lines that left the queue, written or not.
    done: AtomicUsize,
    unwritten: AtomicUsize,
    /// Lost lines that the log has told of.
    told: AtomicUsize,
    /// Whether the last line was written.
    moves: AtomicBool,
}

impl Counts {
    fn refused(&self) -> usize {
        self.refused.get().map_or(0, ErrorCounter::dropped_lines)
    }

    /// Tells of lines that were lost, once lines are written again.
    fn tell(&self) {
        if !self.moves.load(Ordering::Relaxed) {
            return;
        }
        let lost = self.refused().saturating_add(self.unwritten.load(Ordering::Relaxed));
        let news = lost.saturating_sub(self.told.swap(lost, Ordering::Relaxed));
        if news > 0 {
            tracing::warn!(lines = news, "lines of this log were lost: nobody took them in time, or its disk is full");
        }
    }

    fn is_empty(&self) -> bool {
        self.done.load(Ordering::Acquire) + self.refused() >= self.taken.load(Ordering::Acquire)
    }
}

impl Queue {
    /// A queue in front of `out`, which its thread has for itself. The lines are in this notation.
    pub(super) fn before(out: impl Write + Send + 'static, notation: Notation) -> Self {
        let counts = Arc::new(Counts::default());
        let sink = Sink { out, torn: false, counts: Arc::clone(&counts) };
        let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LONGEST).thread_name("log");
        let (lines, guard) = builder.finish(sink);
        let _ = counts.refused.set(lines.error_counter());
        // At its end it would print to standard output, and panic where that cannot be done. `flush` does its work.
        std::mem::forget(guard);
        Self { lines, notation, counts }
    }

    /// Waits until all lines are written, but not for long.
    pub(super) fn drain(&self) {
        let waited = Stopwatch::start();
        let written = || {
            while !self.counts.is_empty() && waited.elapsed() < PATIENCE {
                std::thread::sleep(LOOK);
            }
        };
        written();
        self.counts.tell();
        written();
    }
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.counts.taken.fetch_add(1, Ordering::AcqRel);
        // Each line comes whole, and with its end. Nothing that somebody else has put into it may look like one.
        let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line));
        match visible(&text, self.notation) {
            Cow::Borrowed(_) => self.lines.write_all(line)?,
            Cow::Owned(shown) => self.lines.write_all(format!("{shown}\n").as_bytes())?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The thread's side.
struct Sink<W> {
    out: W,
    /// Whether the last line broke off in its midst.
    torn: bool,
    counts: Arc<Counts>,
}

impl<W: Write> Sink<W> {
    fn put(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.out.write_all(b"\n")?;
            self.torn = false;
        }
        let mut rest = line;
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.torn = rest.len() < line.len();
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = self.put(line).is_ok();
        if !written {
            self.counts.unwritten.fetch_add(1, Ordering::Relaxed);
        }
        self.counts.moves.store(written, Ordering::Relaxed);
        self.counts.done.fetch_add(1, Ordering::AcqRel);
        Ok(line.len())
    }

    /// Called whenever the queue is empty.
    fn flush(&mut self) -> io::Result<()> {
        self.counts.tell();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, mpsc};

    /// Takes so many bytes at a time as it is told, and fails where it is told nothing more.
    #[derive(Clone)]
    struct Disk {
        room: Arc<Mutex<Vec<usize>>>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut room = self.room.lock().unwrap();
            let count = room.pop().filter(|count| *count > 0).ok_or(io::ErrorKind::StorageFull)?.min(bytes.len());
            self.written.lock().unwrap().extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_broke_off_does_not_spoil_the_next() {
        let (room, written) = (Arc::new(Mutex::new(vec![9, 9, 9, 0, 3])), Arc::default());
        let disk = Disk { room, written: Arc::clone(&written) };
        let mut sink = Sink { out: disk, torn: false, counts: Arc::default() };
        sink.write_all(b"first\n").unwrap();
        assert!(!sink.counts.moves.load(Ordering::Relaxed));
        sink.write_all(b"second\n").unwrap();
        sink.write_all(b"third\n").unwrap();
        assert_eq!(*written.lock().unwrap(), b"fir\nsecond\nthird\n");
        assert_eq!(sink.counts.unwritten.load(Ordering::Relaxed), 1);
    }

    /// Waits for somebody at every line.
    struct Stuck(mpsc::Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_nobody_takes_holds_up_nobody_and_what_is_lost_is_counted() {
        let (let_go, stuck) = mpsc::channel();
        let mut queue = Queue::before(Stuck(stuck), Notation::Plain);
        for _ in 0..LONGEST + 10 {
            queue.write_all(b"line\n").unwrap();
        }
        assert!(queue.counts.refused() >= 9);
        queue.drain();
        assert!(!queue.counts.is_empty());
        drop(let_go);
        queue.drain();
        assert!(queue.counts.is_empty());
    }

    #[derive(Clone)]
    struct Capture(Arc<Mutex<Vec<u8>>>);

    impl Write for Capture {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_was_lost_is_told_once_and_only_when_lines_are_written_again() {
        let said: Arc<Mutex<Vec<u8>>> = Arc::default();
        let capture = Capture(Arc::clone(&said));
        let room = Arc::new(Mutex::new(vec![9, 9, 0, 0]));
        let mut sink = Sink { out: Disk { room, written: Arc::default() }, torn: false, counts: Arc::default() };
        let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(move || capture.clone()).finish();
        tracing::subscriber::with_default(lines, || {
            for _ in 0..2 {
                sink.write_all(b"line\n").unwrap();
                sink.flush().unwrap();
            }
            assert!(said.lock().unwrap().is_empty());
            for _ in 0..2 {
                sink.write_all(b"line\n").unwrap();
                sink.flush().unwrap();
            }
        });
        let said = String::from_utf8(said.lock().unwrap().clone()).unwrap();
        assert_eq!((said.lines().count(), said.contains("lines=2")), (1, true), "{said}");
    }
}
