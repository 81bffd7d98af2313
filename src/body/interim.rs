//! Interim (1xx) answers: what the origin says before its final answer. Handed on to the client, but not without end, and
//! none that says to have a body.
//!
//! The HTTP library reads them and writes none, so they are written past it: a request's answer is awaited, its
//! connection owes the client nothing else, and the bytes go out between two of the library's own messages.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Request, StatusCode};

use crate::fields::{announces_body, strip_hop_by_hop};

/// The most that waits for a client, in bytes; what comes on top is dropped, as any of it may be.
const MOST: usize = 64 << 10;

/// How many may come before the final answer.
const MOST_ANSWERS: usize = 16;

/// One connection's interim answers.
#[derive(Debug, Default)]
pub struct InterimAnswers {
    /// Whether somebody may still send, or something waits: told without the lock, which each write of an answer would
    /// else take.
    of_use: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Which of the connection's requests has its final answer to come; interim answers to an earlier one are late.
    turn: u64,
    awaited: bool,
    bytes: Vec<u8>,
    /// Who writes to the client.
    waker: Option<Waker>,
}

/// One request's interim answers.
#[derive(Clone, Debug)]
pub struct InterimSender {
    answers: Arc<InterimAnswers>,
    turn: u64,
}

impl InterimAnswers {
    /// The next request's, whose final answer is awaited until [`InterimSender::end`].
    pub fn begin(self: &Arc<Self>) -> InterimSender {
        let mut state = self.state();
        state.turn += 1;
        state.awaited = true;
        self.of_use.store(true, Ordering::Release);
        InterimSender { answers: Arc::clone(self), turn: state.turn }
    }

    /// What is to be written before anything else, if there is something; else whoever asks is woken when there is.
    pub fn take(&self, context: &Context<'_>) -> Option<Vec<u8>> {
        if !self.of_use.load(Ordering::Acquire) {
            return None;
        }
        let mut state = self.state();
        if !state.bytes.is_empty() {
            let bytes = std::mem::take(&mut state.bytes);
            self.of_use.store(state.awaited, Ordering::Release);
            return Some(bytes);
        }
        if state.awaited && !state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            state.waker = Some(context.waker().clone());
        }
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InterimSender {
    /// Hands an interim answer on, as long as the final one is awaited. 100 and 101 are not the origin's to give.
    fn send(&self, status: StatusCode, fields: &HeaderMap) {
        if matches!(status, StatusCode::CONTINUE | StatusCode::SWITCHING_PROTOCOLS) {
            return;
        }
        let head = written(status, fields);
        let mut state = self.answers.state();
        if !state.awaited || state.turn != self.turn || state.bytes.len() + head.len() > MOST {
            return;
        }
        state.bytes.extend_from_slice(&head);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// The final answer is there.
    pub fn end(&self) {
        let mut state = self.answers.state();
        if state.turn == self.turn {
            state.awaited = false;
            self.answers.of_use.store(!state.bytes.is_empty(), Ordering::Release);
        }
    }
}

/// Watches what the origin says before its final answer to one request.
#[derive(Debug, Default)]
pub struct InterimWatch {
    count: AtomicUsize,
    /// Whether one of them announced a body: what comes next may be that, or the answer.
    with_body: AtomicBool,
}

impl InterimWatch {
    /// Watches a request's interim answers from now on, and hands on what may be.
    pub fn of<B>(request: &mut Request<B>, to: Option<InterimSender>) -> Arc<Self> {
        let interim = Arc::new(Self::default());
        let watching = Arc::clone(&interim);
        hyper::ext::on_informational(request, move |interim| {
            let before = watching.count.fetch_add(1, Ordering::Relaxed);
            if announces_body(interim.headers()) {
                watching.with_body.store(true, Ordering::Relaxed);
            }
            if let Some(to) = to.as_ref().filter(|_| before < MOST_ANSWERS && watching.fault().is_none()) {
                to.send(interim.status(), interim.headers());
            }
        });
        interim
    }

    /// Why the answer that follows them counts for nothing; it may come along with them.
    pub fn fault(&self) -> Option<String> {
        if self.with_body.load(Ordering::Relaxed) {
            return Some("it sent an interim answer with a body".to_owned());
        }
        let too_many = self.count.load(Ordering::Relaxed) > MOST_ANSWERS;
        too_many.then(|| format!("it sent more than {MOST_ANSWERS} interim answers"))
    }
}

/// Source: RFC 9112 section 4
fn written(status: StatusCode, fields: &HeaderMap) -> Vec<u8> {
    let mut fields = fields.clone();
    strip_hop_by_hop(&mut fields);
    fields.remove(CONTENT_LENGTH);
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    for (name, value) in &fields {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::fields;

    fn taken(answers: &InterimAnswers) -> String {
        let context = Context::from_waker(Waker::noop());
        String::from_utf8(answers.take(&context).unwrap_or_default()).unwrap()
    }

    #[test]
    fn what_comes_before_the_final_answer_goes_on() {
        let answers = Arc::new(InterimAnswers::default());
        let interim = answers.begin();
        let fields =
            fields(&[("link", "</a.css>; rel=preload"), ("connection", "x"), ("x", "1"), ("content-length", "3")]);
        interim.send(StatusCode::EARLY_HINTS, &fields);
        interim.send(StatusCode::PROCESSING, &HeaderMap::new());
        interim.end();
        let both = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n";
        assert_eq!(taken(&answers), both);
        assert_eq!(taken(&answers), "");
    }

    #[test]
    fn what_is_late_or_not_the_origins_to_give_goes_nowhere() {
        let answers = Arc::new(InterimAnswers::default());
        let first = answers.begin();
        first.send(StatusCode::CONTINUE, &HeaderMap::new());
        first.send(StatusCode::SWITCHING_PROTOCOLS, &HeaderMap::new());
        first.end();
        first.send(StatusCode::EARLY_HINTS, &HeaderMap::new());
        let second = answers.begin();
        first.send(StatusCode::EARLY_HINTS, &HeaderMap::new());
        first.end();
        assert_eq!(taken(&answers), "");
        second.send(StatusCode::EARLY_HINTS, &HeaderMap::new());
        assert_eq!(taken(&answers), "HTTP/1.1 103 Early Hints\r\n\r\n");
    }

    #[test]
    fn a_client_that_takes_nothing_has_no_more_than_so_much_waiting() {
        let answers = Arc::new(InterimAnswers::default());
        let interim = answers.begin();
        for _ in 0..10_000 {
            interim.send(StatusCode::EARLY_HINTS, &fields(&[("link", "</a-rather-long-name.css>; rel=preload")]));
        }
        assert!(taken(&answers).len() <= MOST);
    }
}
