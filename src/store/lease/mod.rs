//! A node's side of the protocol by which nodes that share a Redis may answer from it: a pure state machine. Events and a time
//! go in, what is to be sent comes out; nothing here waits, sends or reads a clock. The server drives it with Redis and tokio
//! (`redis/control`), the model in `tests/model` with messages that are lost, late and doubled.
//!
//! # What it has to see to
//!
//! A write whose invalidation Redis did not confirm is answered all the same with `when_down = "forward"`. No other node may
//! answer then from what that write has changed, although Redis looks to it as if nothing had happened.
//!
//! - A node is in the **registry** in Redis for one **lease** after each renewal. A renewal names the time by Redis's clock
//!   after which it must not run, one lease after it was sent at the most. So a node that sent its last one at `S` is no
//!   longer alive in the registry from `S + 2` leases on.
//! - A **hit** needs a renewal of this node's own that was sent less than a lease ago, was confirmed, and named no node that
//!   is *unaccounted* for: silent without having signed off. So from `S + 3` leases on nobody has hits any more.
//! - A **write** that is not confirmed is answered then, and not before: [`Lease::unconfirmed_from`].
//! - Whoever comes back **joins** anew, under a new generation, and makes what is pending in the same step. From the next
//!   renewal on the others have hits again. An old generation is never renewed.
//! - One that stays away for longer than `absence` is given up: whoever notices starts a new epoch, which invalidates
//!   everything from before. What such a node still writes the others do not know of.
//! - **A Redis that is another one** than before (restarted, promoted) may be one of two: who has joined there answers no
//!   write before all that was allowed by the one before has run out: [`Lease::confirms_from`].

mod node;
mod peers;

pub use self::node::{Answer, Call, Do, Lease, LeaseSettings, Permit, ServerId, Step};
pub use self::peers::{NodeId, Peer, PeerState, Roll};
