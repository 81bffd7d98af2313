//! What the lookups of one core ask Redis about their copies, put together: those that come in one turn of the core's loop ask
//! the record once, and those of one copy ask everything once.
//!
//! Nobody is answered by what was asked before. A batch is taken before the first of its commands is sent; who comes later is in
//! the next one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use fred::types::Value;
use tokio::sync::oneshot;

use super::copies::EntryCopy;
use super::layout::Record;
use crate::store::core::Fault;

/// About so many copies Redis is asked in one batch at the most: by 29 commands, and `join_all` begins up to 30 in their order.
const LARGEST: usize = 14;

/// A reply, or nothing where the key holds another type.
pub(super) type Reply = Option<Value>;

/// What came of the questions about one copy.
pub(super) type Verdict = Result<Validated, Fault>;

/// What Redis says of one copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validated {
    /// It has what that is a copy of.
    pub(super) is_there: bool,
    /// What the record says of all its tags.
    pub(super) record: Option<Record>,
}

/// Questions that have not been sent yet.
#[derive(Debug, Default)]
pub(super) struct Questions(Mutex<Vec<Question>>);

/// What is asked about one copy.
#[derive(Debug)]
struct Question {
    copy: Arc<EntryCopy>,
    /// Who asks it.
    by: Vec<oneshot::Sender<Verdict>>,
}

/// Questions that are sent together.
pub(super) struct Batch(Vec<Question>);

impl Questions {
    /// Asks about a copy. Says besides whether one more batch has to be taken for it.
    pub(super) fn ask(&self, copy: &Arc<EntryCopy>) -> (oneshot::Receiver<Verdict>, bool) {
        let (sender, verdict) = oneshot::channel();
        let mut waiting = self.lock();
        if let Some(same) = waiting.iter_mut().rev().take(LARGEST).find(|known| Arc::ptr_eq(&known.copy, copy)) {
            same.by.push(sender);
            return (verdict, false);
        }
        let begins = waiting.len().is_multiple_of(LARGEST);
        waiting.push(Question { copy: Arc::clone(copy), by: vec![sender] });
        (verdict, begins)
    }

    /// The questions that have waited for longest.
    pub(super) fn take(&self) -> Batch {
        let mut waiting = self.lock();
        let count = waiting.len().min(LARGEST);
        Batch(waiting.drain(..count).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Question>> {
        // A question that a panic has left half asked has nobody who waits for it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    /// About how many copies it is.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Which copies these are. Of each the body, or its length, is asked for, and after that its sum.
    pub(super) fn copies(&self) -> impl Iterator<Item = &EntryCopy> {
        self.0.iter().map(|question| &*question.copy)
    }

    /// What the record is asked for after all of them.
    pub(super) fn record_fields(&self) -> Vec<Bytes> {
        let mut copies = self.copies();
        let mut fields = copies.next().map(|copy| copy.fields.clone()).unwrap_or_default();
        for copy in copies {
            fields.extend_from_slice(copy.tag_fields());
        }
        fields
    }

    /// Tells everybody what the replies say, which are those to all of that in its order.
    pub(super) fn answer(self, replies: Result<Vec<Result<Reply, Fault>>, Fault>, replid: &str) {
        let mut replies = match replies {
            Ok(replies) => replies,
            Err(fault) => return self.0.into_iter().for_each(|question| question.answer(&Err(fault.clone()))),
        };
        let record = replies.pop().unwrap_or(Err(Fault::Down));
        let record = record.map(|values| values.map(Value::into_array).unwrap_or_default());
        let mut record = record.as_ref().map(|values| Record::head(values, replid));
        let mut replies = replies.into_iter();
        let mut next = || replies.next().unwrap_or(Err(Fault::Down));
        for question in self.0 {
            let record = match &mut record {
                Ok(record) => Ok(of_tags(record, question.copy.tag_fields().len())),
                Err(fault) => Err(fault.clone()),
            };
            let verdict = question.verdict(next(), next(), record);
            question.answer(&verdict);
        }
    }
}

/// What a record says of the next so many tags; nothing where there is none, or it says nothing of them.
fn of_tags(record: &mut Option<(Record, &[Value])>, tags: usize) -> Option<Record> {
    let (record, values) = record.as_mut()?;
    let (own, others) = values.split_at_checked(tags)?;
    *values = others;
    Some(record.with(own))
}

impl Question {
    fn verdict(
        &self,
        body: Result<Reply, Fault>,
        sum: Result<Reply, Fault>,
        record: Result<Option<Record>, Fault>,
    ) -> Verdict {
        let is_there = self.copy.is_of(body?.as_ref(), sum?);
        Ok(Validated { is_there, record: record? })
    }

    fn answer(self, verdict: &Verdict) {
        for asked in self.by {
            // Who has gone wants to know nothing.
            let _ = asked.send(verdict.clone());
        }
    }
}
