//! An invalidation under way: however it ends, it is either made or pending, and its write is answered only when nobody may
//! be given any more what it should have invalidated.

use std::sync::Arc;

use futures_util::future::{Either, select};

use super::node::RedisNode;
use super::pending::Unmade;
use crate::store::core::Fault;
use crate::store::lease::ServerId;

/// An invalidation under way. One that is dropped, whatever the reason, is pending.
pub(super) struct Unconfirmed {
    node: Arc<RedisNode>,
    /// What is pending if it is not made.
    unmade: Unmade,
    /// What kept it from being made, as far as is known; nothing once it was made.
    fault: Option<Fault>,
}

impl Unconfirmed {
    /// One that is about to be sent.
    pub(super) fn new(node: &Arc<RedisNode>, unmade: Unmade) -> Self {
        Self { node: Arc::clone(node), unmade, fault: Some(Fault::Down) }
    }

    /// This server has made it. Comes back when its write may be answered; with a fault where that cannot be told, for this
    /// process is not at home there.
    pub(super) async fn made_by(mut self, server: ServerId) -> Result<(), Fault> {
        if self.node.control.confirmed_by(server).await {
            self.fault = None;
            return Ok(());
        }
        self.failed(Fault::Down).await
    }

    /// It failed, or nobody knows whether it did. It is pending from now on; comes back when it was made after all, or with
    /// the fault when its write may be answered all the same.
    pub(super) async fn failed(mut self, fault: Fault) -> Result<(), Fault> {
        self.fault = None;
        let Self { node, unmade, .. } = &mut self;
        if unmade.is_empty() {
            return Err(fault);
        }
        let number = node.pending.add(std::mem::take(unmade));
        node.report.pends(&fault);
        let made = Box::pin(node.pending.confirmed(number));
        // Asked once it is pending: a call that is sent from now on carries it.
        let answered = Box::pin(node.control.unconfirmed());
        match select(made, answered).await {
            Either::Left(_) => {
                node.control.confirmed_at_home().await;
                Ok(())
            }
            Either::Right(_) => Err(fault),
        }
    }
}

impl Drop for Unconfirmed {
    fn drop(&mut self) {
        if let Some(fault) = self.fault.take().filter(|_| !self.unmade.is_empty()) {
            self.node.pending.add(std::mem::take(&mut self.unmade));
            self.node.report.pends(&fault);
        }
    }
}
