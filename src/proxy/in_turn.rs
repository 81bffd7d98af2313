//! Answers one after the other, where there is no room for all at once: what waits for its turn holds nothing.

use std::sync::Arc;

use http::Method;
use tokio::task::yield_now;

use super::Proxy;
use super::answer::Answer;
use super::error::{Refusal, no_answer};
use super::ingress::Admitted;
use super::lookup::Resource;
use crate::fields::Forward;
use crate::origin::OriginError;

impl Proxy {
    /// Answers a read. An answer that finds no room is given up and made once more when there is some: as a hit, most of
    /// the time, since a fill does not wait for its own client.
    pub(super) async fn in_turn(self: &Arc<Self>, resource: &Resource, request: &Admitted) -> Answer {
        let (mut turn, mut room) = (None, None);
        loop {
            let mut answer = self.answer(resource, request).await;
            let size = answer.size();
            if request.method == Method::HEAD || size == 0 {
                return answer;
            }
            if answer.own && room.is_none() && !self.shared.answers.has_room(size, size) {
                let forward = answer.cache_status.forward;
                drop(answer);
                room = self.shared.answers.room(size).await;
                if room.is_none() {
                    return no_answer(&OriginError::NoRoom, forward.unwrap_or(Forward::Miss));
                }
                continue;
            }
            let Some(share) = &request.share else { return answer };
            turn = turn.or_else(|| share.take(size));
            if turn.is_some() {
                answer.turn = turn;
                return answer;
            }
            drop(answer);
            turn = share.turn(size).await;
            if turn.is_none() {
                return Refusal::AnswersUnread.answer();
            }
            // Where its turn has come because the connection is gone, this request is about to be dropped, too.
            yield_now().await;
        }
    }
}
