//! The way of log lines to standard error: through a bounded queue to a thread of their own, the only one that ever waits
//! for whoever reads the log, and the one that writes out requests. What finds the queue full, or cannot be written, is lost
//! and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::dates::Dates;
use super::line::write_line;
use super::outcome::Outcome;
use super::style::Style;
use crate::clock::Stopwatch;
use crate::fields::visible;

/// Some twenty megabytes at the most, where paths are long, and a burst of a third of a second at full speed.
const LONGEST: usize = 16_384;
/// Up to this many bytes are written at once: a pipe that others write to as well takes them in one piece.
const BATCH: usize = 4096;
/// How long the thread rests between looks while there is something to do: what comes meanwhile need not wake it.
const REST: Duration = Duration::from_millis(10);
/// How long the last lines may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// The queue, as what logs has it.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    entries: SyncSender<Entry>,
    counts: Arc<Counts>,
}

#[derive(Debug)]
enum Entry {
    /// A line as it was written elsewhere, with its end.
    Line(Vec<u8>),
    /// What a request's line is to be made of.
    Outcome(Box<Outcome>),
    /// What comes after it is written so.
    Style(Style),
    /// Somebody wants to know when all that came before is written.
    Mark(SyncSender<()>),
}

#[derive(Debug, Default)]
struct Counts {
    /// Lines that found the queue full.
    refused: AtomicUsize,
    unwritten: AtomicUsize,
    /// Lost lines that the log has told of.
    told: AtomicUsize,
    /// Whether the last line was written.
    moves: AtomicBool,
}

impl Counts {
    /// Tells of lines that were lost, once lines are written again.
    fn tell(&self) {
        if !self.moves.load(Ordering::Relaxed) {
            return;
        }
        let lost = self.refused.load(Ordering::Relaxed).saturating_add(self.unwritten.load(Ordering::Relaxed));
        let news = lost.saturating_sub(self.told.swap(lost, Ordering::Relaxed));
        if news > 0 {
            tracing::warn!(
                lines = news,
                "lines of this log were lost: they were not read in time, or the disk is full"
            );
        }
    }
}

impl Queue {
    /// A queue in front of `out`, which its thread has for itself. The lines are in this style.
    pub(super) fn before(out: impl Write + Send + 'static, style: Style) -> io::Result<Self> {
        let counts = Arc::new(Counts::default());
        let (entries, to_write) = sync_channel(LONGEST);
        let sink = Sink::new(out, style, Arc::clone(&counts));
        std::thread::Builder::new().name("log".to_owned()).spawn(move || sink.run(&to_write))?;
        Ok(Self { entries, counts })
    }

    /// Has what is queued after this written in another way.
    pub(super) fn write_as(&self, style: Style) {
        self.queue(Entry::Style(style));
    }

    /// Queues the line of an outcome.
    pub(super) fn outcome(&self, outcome: Box<Outcome>) {
        self.queue(Entry::Outcome(outcome));
    }

    fn queue(&self, entry: Entry) {
        if self.entries.try_send(entry).is_err() {
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all lines are written, but not for long. Whether they are.
    pub(super) fn drain(&self) -> bool {
        let waited = Stopwatch::start();
        let written = self.reaches_its_end(&waited);
        self.counts.tell();
        written && self.reaches_its_end(&waited)
    }

    fn reaches_its_end(&self, waited: &Stopwatch) -> bool {
        let (tell, told) = sync_channel(1);
        let mut mark = Entry::Mark(tell);
        while let Err(error) = self.entries.try_send(mark) {
            match error {
                TrySendError::Full(again) if waited.elapsed() < PATIENCE => mark = again,
                _ => return false,
            }
            std::thread::sleep(REST);
        }
        told.recv_timeout(PATIENCE.saturating_sub(waited.elapsed())).is_ok()
    }
}

impl Write for Queue {
    /// Takes a line whole, with its end.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.queue(Entry::Line(line.to_vec()));
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
    style: Style,
    dates: Dates,
    /// Lines that are to be written together.
    batch: String,
    /// Whether the last line broke off in its midst.
    torn: bool,
    counts: Arc<Counts>,
}

impl<W: Write> Sink<W> {
    fn new(out: W, style: Style, counts: Arc<Counts>) -> Self {
        Self { out, style, dates: Dates::new(), batch: String::new(), torn: false, counts }
    }

    /// Writes what comes until nothing is left that logs.
    fn run(mut self, entries: &Receiver<Entry>) {
        while let Ok(first) = entries.recv() {
            let mut next = Some(first);
            while next.is_some() {
                self.dates.refresh();
                for entry in next.into_iter().chain(entries.try_iter()) {
                    self.take(entry);
                }
                self.write();
                self.counts.tell();
                std::thread::sleep(REST);
                next = entries.try_recv().ok();
            }
        }
    }

    fn take(&mut self, entry: Entry) {
        let before = self.batch.len();
        match entry {
            Entry::Line(line) => self.line(&line),
            Entry::Outcome(outcome) => write_line(&mut self.batch, &outcome, self.style, &mut self.dates),
            Entry::Style(style) => self.style = style,
            Entry::Mark(tell) => {
                self.write();
                let _ = tell.try_send(());
            }
        }
        if self.batch.len() > BATCH {
            let last = self.batch.split_off(before.min(self.batch.len()));
            self.write();
            self.batch = last;
        }
    }

    /// Nothing in a line that came from elsewhere may look like one.
    fn line(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line));
        self.batch.push_str(&visible(&text, self.style.notation));
        self.batch.push('\n');
    }

    /// Writes what there is. What cannot be written is lost.
    fn write(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let written = self.put();
        let rest = self.batch.as_bytes().get(written..).unwrap_or_default();
        let lost = rest.split_inclusive(|byte| *byte == b'\n').count();
        self.counts.unwritten.fetch_add(lost, Ordering::Relaxed);
        self.counts.moves.store(lost == 0, Ordering::Relaxed);
        self.batch.clear();
    }

    /// How many bytes of the batch could be written.
    fn put(&mut self) -> usize {
        if self.torn {
            match self.out.write_all(b"\n") {
                Ok(()) => self.torn = false,
                Err(_) => return 0,
            }
        }
        let mut written = 0;
        while let Some(rest) = self.batch.as_bytes().get(written..).filter(|rest| !rest.is_empty()) {
            match self.out.write(rest) {
                Ok(0) => break,
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let broke_off = written < self.batch.len();
        self.torn = broke_off && written > 0 && self.batch.as_bytes().get(written - 1) != Some(&b'\n');
        written
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

    fn write(sink: &mut Sink<Disk>, lines: &str) {
        for line in lines.split_inclusive('\n') {
            sink.take(Entry::Line(line.into()));
        }
        sink.write();
    }

    #[test]
    fn a_line_that_broke_off_does_not_spoil_the_next() {
        let (room, written) = (Arc::new(Mutex::new(vec![9, 9, 9, 0, 3])), Arc::default());
        let disk = Disk { room, written: Arc::clone(&written) };
        let mut sink = Sink::new(disk, Style::PLAIN, Arc::default());
        write(&mut sink, "first\n");
        assert!(!sink.counts.moves.load(Ordering::Relaxed));
        write(&mut sink, "second\n");
        write(&mut sink, "third\n");
        assert_eq!(*written.lock().unwrap(), b"fir\nsecond\nthird\n");
        assert_eq!(sink.counts.unwritten.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn lines_are_written_together_and_lost_by_themselves() {
        let (room, written) = (Arc::new(Mutex::new(vec![99, 0, 13])), Arc::default());
        let disk = Disk { room: Arc::clone(&room), written: Arc::clone(&written) };
        let mut sink = Sink::new(disk, Style::PLAIN, Arc::default());
        write(&mut sink, "first\nsecond\nthird\nfourth\n");
        assert_eq!(*written.lock().unwrap(), b"first\nsecond\n", "what is whole is no torn line");
        assert_eq!(sink.counts.unwritten.load(Ordering::Relaxed), 2);
        write(&mut sink, "fifth\nsix\u{9b}\n");
        assert_eq!(*written.lock().unwrap(), "first\nsecond\nfifth\nsix\\u{9b}\n".as_bytes());
        assert!(room.lock().unwrap().is_empty(), "one write for both");
        assert!(sink.counts.moves.load(Ordering::Relaxed));
    }

    #[test]
    fn a_batch_is_no_longer_than_a_pipe_takes_in_one_piece_unless_one_line_is() {
        let (room, written) = (Arc::new(Mutex::new(vec![9000; 4])), Arc::default());
        let disk = Disk { room: Arc::clone(&room), written: Arc::clone(&written) };
        let mut sink = Sink::new(disk, Style::PLAIN, Arc::default());
        write(&mut sink, &["a".repeat(2047), "b".repeat(2047), "c".repeat(5000), "d\n".to_owned()].join("\n"));
        assert_eq!(written.lock().unwrap().len(), 2048 + 2048 + 5001 + 2);
        assert_eq!(room.lock().unwrap().len(), 1, "two lines, the long one, and the last");
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
        let mut queue = Queue::before(Stuck(stuck), Style::PLAIN).unwrap();
        for _ in 0..LONGEST + BATCH {
            queue.write_all(b"line\n").unwrap();
        }
        assert!(queue.counts.refused.load(Ordering::Relaxed) > BATCH / 2, "the thread has a batch of them");
        assert!(!queue.drain());
        drop(let_go);
        assert!(queue.drain());
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
        let mut sink = Sink::new(Disk { room, written: Arc::default() }, Style::PLAIN, Arc::default());
        let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(move || capture.clone()).finish();
        tracing::subscriber::with_default(lines, || {
            for _ in 0..2 {
                write(&mut sink, "line\n");
                sink.counts.tell();
            }
            assert!(said.lock().unwrap().is_empty());
            for _ in 0..2 {
                write(&mut sink, "line\n");
                sink.counts.tell();
            }
        });
        let said = String::from_utf8(said.lock().unwrap().clone()).unwrap();
        assert_eq!((said.lines().count(), said.contains("lines=2")), (1, true), "{said}");
    }
}
