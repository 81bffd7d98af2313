//! What the answers of one connection share.

use std::sync::Arc;
use std::time::Duration;

use crate::budget::{Budget, Receipt};

/// What the answers of one connection share, where many are under way at once.
#[derive(Clone, Debug)]
pub struct Share {
    budget: Arc<Budget>,
    patience: Duration,
}

impl Share {
    /// So many bytes, and how long an answer waits for its turn.
    pub fn new(bytes: usize, patience: Duration) -> Self {
        Self { budget: Budget::new(bytes), patience }
    }

    /// What covers an answer of so many bytes, if there is room for it now.
    pub(super) fn take(&self, bytes: usize) -> Option<Receipt> {
        self.budget.try_charge(self.budget.portion(bytes))
    }

    /// The same once there is room; `None` where nothing of the others is taken for as long as one of them might stall.
    pub(super) async fn turn(&self, bytes: usize) -> Option<Receipt> {
        self.budget.turn(self.budget.portion(bytes), self.patience).await
    }

    pub(super) fn budget(&self) -> Arc<Budget> {
        Arc::clone(&self.budget)
    }
}
