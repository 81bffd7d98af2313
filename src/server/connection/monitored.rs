//! A client's bytes, in and out, noted for the timers.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

use super::activity::Activity;
use super::blocks::Blocks;
use super::heads::Heads;
use crate::body::InterimAnswers;

/// How much is read at once where nothing was going on: most heads are shorter.
const PIECE: usize = 2048;

/// Finds a fragment in a request's target, as each version of HTTP has it.
#[derive(Debug)]
pub(super) enum Targets {
    Heads(Heads),
    Blocks(Blocks),
}

impl Targets {
    fn take(&mut self, bytes: &mut [u8]) {
        match self {
            Self::Heads(heads) => heads.take(bytes),
            Self::Blocks(blocks) => blocks.take(bytes),
        }
    }
}

/// A connection whose doings are noted. It holds its place among the open ones for as long as it is open, whoever has
/// it: a tunnel, too.
#[derive(Debug)]
pub(super) struct MonitoredIo<S> {
    stream: S,
    /// What was read already to find out what the client speaks.
    ahead: Bytes,
    /// Where in what is read the requests' targets are.
    targets: Targets,
    activity: Arc<Activity>,
    /// What the origin says before its final answers, to be written between whole messages.
    interim: Arc<InterimAnswers>,
    /// The rest of what is being written of that.
    writing: Bytes,
    /// Whether all that the HTTP library had to write is written: it flushes then, and only then.
    between_messages: bool,
    /// Whether what was written waits in a buffer of TLS.
    flushing: bool,
    _place: OwnedSemaphorePermit,
}

impl<S> MonitoredIo<S> {
    pub(super) fn new(
        stream: S,
        ahead: Bytes,
        targets: Targets,
        activity: Arc<Activity>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let interim = Arc::default();
        let writing = Bytes::new();
        Self {
            stream,
            ahead,
            targets,
            activity,
            interim,
            writing,
            between_messages: true,
            flushing: false,
            _place: place,
        }
    }

    /// Where interim answers go that are to be written here.
    pub(super) fn interim_answers(&self) -> Arc<InterimAnswers> {
        Arc::clone(&self.interim)
    }

    /// Gives back what was read and not used, between two requests: it is read again, first of all.
    pub(super) fn give_back(&mut self, bytes: Bytes) {
        self.targets = Targets::Heads(Heads::new());
        if !bytes.is_empty() {
            self.ahead = if self.ahead.is_empty() { bytes } else { [bytes, self.ahead.split_off(0)].concat().into() };
        }
    }

    fn note<T>(&self, written: &Poll<io::Result<T>>) {
        if written.is_ready() {
            self.activity.took();
        } else {
            self.activity.write_waits();
        }
    }
}

impl<S: AsyncRead + Unpin> MonitoredIo<S> {
    /// Waits until there is something to read, and keeps no buffer meanwhile. `false` where the client closed instead.
    pub(super) async fn arrives(&mut self) -> io::Result<bool> {
        std::future::poll_fn(|context| {
            if self.ahead.is_empty() {
                let mut space = [MaybeUninit::uninit(); PIECE];
                let mut piece = ReadBuf::uninit(&mut space);
                ready!(Pin::new(&mut self.stream).poll_read(context, &mut piece))?;
                self.ahead = Bytes::copy_from_slice(piece.filled());
            }
            Poll::Ready(Ok(!self.ahead.is_empty()))
        })
        .await
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MonitoredIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = if self.ahead.has_remaining() {
            let size = self.ahead.len().min(into.remaining());
            into.put_slice(&self.ahead.split_to(size));
            Poll::Ready(Ok(()))
        } else {
            Pin::new(&mut self.stream).poll_read(context, into)
        };
        if let Some(new) = into.filled_mut().get_mut(before..).filter(|new| !new.is_empty()) {
            self.targets.take(new);
            self.activity.received();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> MonitoredIo<S> {
    /// Writes the interim answers that wait, where one message has ended and the next has not begun.
    fn poll_interim(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.between_messages {
            if self.writing.is_empty() {
                match self.interim.take(context) {
                    Some(bytes) => self.writing = bytes.into(),
                    None => break,
                }
            }
            let written = Pin::new(&mut self.stream).poll_write(context, &self.writing);
            self.note(&written);
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                size => self.writing.advance(size),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MonitoredIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_interim(context))?;
        self.between_messages = false;
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_interim(context))?;
        self.between_messages = false;
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.between_messages = true;
        ready!(self.poll_interim(context))?;
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        // A flush with nothing to flush says nothing of a write that waits.
        if self.flushing || flushed.is_pending() {
            self.note(&flushed);
        }
        self.flushing = flushed.is_pending();
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_shutdown(context);
        if closed.is_pending() {
            self.activity.write_waits();
        }
        closed
    }
}
