//! Stories, one for each rule that random runs do not notice when it is taken out: with the rule the promise is kept, without
//! it is broken. A lease is 4 ticks, and a node that nobody disturbs renews in each.

use crate::rules::{Rule, Rules};
use crate::server::Setup;
use crate::world::Action::{
    Commit, Connect, Crash, Cut, Evict, Finish, Flush, Hear, Leave, Note, Off, Promote, Prompt, Put, Refill, Restart,
    Run, Save, Send, Session, Start, Tick, Unknown,
};
use crate::world::{Action, Violation, Way, World};

/// The node that writes, mostly.
const A: usize = 0;
/// The one that reads.
const B: usize = 1;
/// Time passes, and every node does what is due.
const ALL: Action = Tick { pilot: true };
/// Time passes, and only what is told happens.
const NONE: Action = Tick { pilot: false };

/// What happens.
#[derive(Default)]
struct Story(Vec<Action>);

impl Story {
    /// All have joined, so many ticks ago that Redis is taken for new no more: longer than `commit_within` and a lease.
    fn after(ticks: usize) -> Self {
        Self::default().times(ticks, &[ALL])
    }

    fn then(mut self, actions: &[Action]) -> Self {
        self.0.extend_from_slice(actions);
        self
    }

    fn times(self, times: usize, actions: &[Action]) -> Self {
        (0..times).fold(self, |story, _| story.then(actions))
    }

    /// A write that Redis has noted is committed.
    fn write(self, node: usize, write: usize) -> Self {
        self.then(&[put(node), Commit { write }])
    }

    /// A write that Redis could not note is committed, and is not confirmed.
    fn unheard_write(self, node: usize) -> Self {
        let finish = Finish { write: 0, way: Way::Lost };
        self.then(&[Put { node, key: 0, way: Way::Lost }, Commit { write: 0 }, finish])
    }

    /// A node leaves the first server for the second.
    fn moves(self, node: usize) -> Self {
        self.then(&[Cut { node }]).arrives(node)
    }

    /// A node joins at the second server.
    fn arrives(self, node: usize) -> Self {
        let session = Session { node, server: 1 };
        self.then(&[session, Connect { node, server: 1 }, Send { node }, Run { packet: 0 }, Hear { packet: 0 }])
    }

    /// How it breaks the promise. What is not possible is left out, unless it has to be as it is told.
    fn breaks(&self, setup: &Setup, as_told: bool) -> Option<Violation> {
        let mut world = World::new(setup);
        for action in &self.0 {
            if !world.may(setup, *action) {
                assert!(!as_told, "at {} this is not possible: {action:?}", world.now);
                continue;
            }
            let done = world.step(setup, *action).and_then(|()| world.answer_all(setup));
            if done.is_err() {
                return done.err();
            }
        }
        world.rest(setup).err()
    }

    /// It breaks the promise without all of these rules, and keeps it without any one fewer.
    fn needs(self, setup: Setup, rules: &[Rule]) {
        let without = |rules: &[Rule]| Setup { rules: Rules::but_all(rules), ..setup };
        let broken = self.breaks(&without(rules), true);
        for kept in rules {
            let others: Vec<Rule> = rules.iter().copied().filter(|rule| rule != kept).collect();
            let found = self.breaks(&without(&others), false);
            assert!(found.is_none(), "without {others:?}: {found:?}");
        }
        assert!(broken.is_some(), "nobody notices that {rules:?} are missing");
    }
}

fn put(node: usize) -> Action {
    Put { node, key: 0, way: Way::Done }
}

fn confirmed(write: usize) -> Action {
    Finish { write, way: Way::Done }
}

fn unknown(write: usize) -> Action {
    Unknown { write, way: Way::Done }
}

fn refill(node: usize) -> Action {
    Refill { node, key: 0 }
}

fn off(node: usize, off: bool) -> Action {
    Off { node, off }
}

/// Silent nodes are waited for longer than any story takes.
fn patient(nodes: usize) -> Setup {
    Setup { rules: Rules::default(), lease: 4, absence: 60, commit_within: 8, forward: true, nodes, keys: 1 }
}

fn impatient(commit_within: u64) -> Setup {
    Setup { absence: 10, commit_within, ..patient(2) }
}

#[test]
fn a_permit_counts_from_the_sending_of_its_call() {
    // B is told that A is alive, hears it late, and by then A has waited for as long as it has to.
    Story::after(16)
        .then(&[refill(B)])
        .unheard_write(A)
        .then(&[off(A, true), ALL, ALL, NONE, Note { node: B }, Send { node: B }, Run { packet: 0 }])
        .times(7, &[NONE])
        .then(&[Hear { packet: 0 }, NONE, NONE])
        .needs(patient(2), &[Rule::PermitCountsFromSending]);
}

/// A joins anew, and the call hangs in a connection that is cut. Then it writes.
fn hanging_join() -> Story {
    Story::after(17)
        .then(&[Cut { node: A }, Connect { node: A, server: 0 }, Send { node: A }, Cut { node: A }, refill(B)])
        .unheard_write(A)
}

#[test]
fn a_call_that_comes_late_revives_nobody() {
    hanging_join()
        .times(9, &[NONE, Prompt { node: B }])
        .then(&[Run { packet: 0 }])
        .times(3, &[NONE, Prompt { node: B }])
        .needs(patient(2), &[Rule::CallRunsInTime]);
}

#[test]
fn an_unconfirmed_write_waits_for_three_leases() {
    // The call runs as late as it may, and B's last one that still finds A alive is sent as late as it may.
    hanging_join()
        .times(4, &[NONE, Prompt { node: B }])
        .then(&[Run { packet: 0 }])
        .times(3, &[NONE, Prompt { node: B }])
        .then(&[NONE])
        .needs(patient(2), &[Rule::UnconfirmedWaitsLongerThanTwo]);
}

#[test]
fn the_time_of_a_call_is_noted_before_what_goes_with_it_is_taken() {
    // A pauses between the two.
    Story::after(17)
        .then(&[Cut { node: A }, Connect { node: A, server: 0 }, refill(B)])
        .unheard_write(A)
        .times(8, &[NONE, Prompt { node: B }])
        .then(&[Send { node: A }, Run { packet: 0 }, Cut { node: A }])
        .times(5, &[NONE, Prompt { node: B }])
        .needs(patient(2), &[Rule::TimeIsNotedBeforeTheBatch]);
}

#[test]
fn a_join_carries_what_is_pending() {
    Story::after(16)
        .then(&[refill(B)])
        .unheard_write(A)
        .then(&[off(A, true)])
        .times(13, &[ALL])
        .then(&[off(A, false), ALL])
        .needs(patient(2), &[Rule::JoinCarriesPending]);
}

#[test]
fn a_join_notes_the_writes_under_way() {
    // Redis could not note it before it was forwarded. A dies, is given up, and only then the origin commits.
    Story::after(38)
        .then(&[Put { node: A, key: 0, way: Way::Lost }, Cut { node: A }, ALL, Crash { node: A }])
        .times(16, &[ALL])
        .then(&[refill(B), Commit { write: 0 }])
        .needs(impatient(30), &[Rule::JoinNotesMarks]);
}

#[test]
fn a_lapsed_node_is_listed_for_those_who_never_met_it() {
    Story::after(16)
        .then(&[refill(B)])
        .unheard_write(A)
        .then(&[off(A, true)])
        .times(5, &[ALL])
        .then(&[Leave { node: B }, Start { node: B, lock: true }])
        .times(8, &[ALL])
        .needs(patient(2), &[Rule::LapsedIsListed]);
}

#[test]
fn who_stays_away_too_long_is_forgotten_with_a_new_epoch() {
    // By one who never met it, and so has nobody to give up.
    Story::after(16)
        .then(&[refill(B), Leave { node: B }])
        .unheard_write(A)
        .then(&[off(A, true)])
        .times(20, &[ALL])
        .then(&[Start { node: B, lock: true }, ALL, ALL])
        .needs(Setup { absence: 16, ..patient(2) }, &[Rule::AbsenceMeansNewEpoch]);
}

#[test]
fn a_dead_predecessor_is_forgotten_with_a_new_epoch() {
    Story::after(16)
        .then(&[refill(B)])
        .unheard_write(A)
        .then(&[off(A, true)])
        .times(13, &[ALL])
        .then(&[Crash { node: A }, Start { node: A, lock: true }, ALL])
        .needs(patient(2), &[Rule::BuriedMeansNewEpoch]);
}

#[test]
fn a_record_of_another_server_is_none() {
    // The snapshot is from when nobody was there, and who has written since is dead.
    Story::after(16)
        .then(&[refill(A), Leave { node: A }, Save, Start { node: A, lock: true }, ALL])
        .write(A, 0)
        .then(&[confirmed(0), Crash { node: A }, Restart { empty: false }, Start { node: A, lock: true }, ALL])
        .needs(patient(1), &[Rule::OtherServersRecordIsNone]);
}

#[test]
fn who_is_listed_by_another_server_is_lapsed() {
    // A has not noticed the failover, and the server of before confirms what it writes.
    Story::after(16)
        .then(&[Promote, NONE])
        .moves(B)
        .then(&[refill(B)])
        .write(A, 0)
        .then(&[confirmed(0)])
        .needs(patient(2), &[Rule::OtherServersEntriesLapsed]);
}

#[test]
fn who_moves_to_another_server_begins_a_new_epoch() {
    // What A has written the server of before has confirmed; the new one has never heard of it.
    Story::after(16)
        .then(&[Promote, NONE])
        .moves(B)
        .then(&[refill(B)])
        .write(A, 0)
        .then(&[confirmed(0), NONE])
        .moves(A)
        .then(&[Prompt { node: B }])
        .needs(patient(2), &[Rule::MovedMeansNewEpoch]);
}

#[test]
fn a_new_server_confirms_once_nobody_listens_to_the_one_before() {
    Story::after(16)
        .then(&[refill(B), Promote, NONE])
        .moves(A)
        .write(A, 0)
        .then(&[confirmed(0)])
        .needs(patient(2), &[Rule::ConfirmedHereWaits]);
}

#[test]
fn a_renewal_counts_where_the_replicas_have_it() {
    // B stays with a server that all others have left.
    Story::after(16)
        .then(&[refill(B), Leave { node: A }, Promote, Start { node: A, lock: true }, NONE])
        .arrives(A)
        .times(6, &[NONE, Prompt { node: A }, Prompt { node: B }])
        .write(A, 0)
        .then(&[confirmed(0)])
        .needs(patient(2), &[Rule::RenewalIsReplicated]);
}

#[test]
fn what_a_node_marks_that_was_given_up_is_reaped() {
    // Its sessions work, its control connection does not.
    Story::after(20)
        .then(&[Cut { node: A }])
        .times(15, &[NONE, Prompt { node: B }])
        .then(&[put(A), Crash { node: A }, refill(B), Commit { write: 0 }])
        .needs(impatient(12), &[Rule::UnlistedAreReaped]);
}

#[test]
fn what_a_write_of_unknown_outcome_may_change_is_held() {
    Story::after(16)
        .then(&[put(A), unknown(0), refill(A), Commit { write: 0 }])
        .needs(patient(2), &[Rule::UnknownIsHeld]);
}

#[test]
fn what_a_dead_node_marked_is_held() {
    Story::after(16)
        .then(&[put(A), Crash { node: A }, Start { node: A, lock: true }, ALL, refill(B), Commit { write: 0 }])
        .needs(patient(2), &[Rule::ReapedIsHeld]);
}

#[test]
fn an_invalidation_does_not_end_what_is_held() {
    Story::after(16)
        .then(&[put(A), unknown(0)])
        .write(A, 1)
        .then(&[confirmed(1), refill(A), Commit { write: 0 }])
        .needs(patient(2), &[Rule::HeldIsNotLowered]);
}

#[test]
fn what_was_held_is_invalidated_at_the_end() {
    Story::after(16)
        .then(&[refill(A), put(A), unknown(0), Commit { write: 0 }])
        .needs(patient(2), &[Rule::HeldEndsInvalidated]);
}

#[test]
fn who_makes_a_registry_anew_has_everything_invalidated_later() {
    // The mark is gone with the registry, and with both whoever might be missed.
    Story::after(16)
        .then(&[put(A), Flush { all: true }, Crash { node: A }, Start { node: A, lock: true }, ALL])
        .then(&[refill(A), Commit { write: 0 }])
        .needs(patient(1), &[Rule::NewRegistryInvalidatesLater]);
}

#[test]
fn who_signs_off_makes_what_is_pending() {
    let unheard = Unknown { write: 0, way: Way::Lost };
    Story::after(16)
        .then(&[refill(B), Put { node: A, key: 0, way: Way::Lost }, Commit { write: 0 }, unheard])
        .then(&[Leave { node: A }])
        .needs(patient(2), &[Rule::LeaveCarriesPending]);
}

/// Covered by `UnconfirmedWaits`: what became pending after the call was sent that allows hits is answered three leases from
/// then, and the permit ends after one; a call that was sent after it carries it.
#[test]
fn whoever_has_something_pending_has_no_hits() {
    Story::after(16)
        .then(&[refill(A)])
        .unheard_write(A)
        .needs(patient(1), &[Rule::HitNeedsNothingPending, Rule::UnconfirmedWaits]);
}

/// Covered by `HeldEndsInvalidated`: what was stored meanwhile is invalidated when the hold ends. Nobody has been answered
/// until then, so no read is older than promised; yet what is held is there so that fewer are.
#[test]
fn what_is_held_is_laid_again_in_a_new_epoch() {
    Story::after(16)
        .then(&[put(A), unknown(0), Evict { record: true }, refill(A), Commit { write: 0 }])
        .needs(patient(2), &[Rule::HeldIsLaidAgain, Rule::HeldEndsInvalidated]);
}

/// Covered by `CallRunsInTime`: a renewal that comes late revives nobody, whether its generation has lapsed or not.
#[test]
fn a_lapsed_generation_is_not_renewed() {
    Story::after(16)
        .then(&[NONE, Prompt { node: B }, Note { node: A }, Send { node: A }, Cut { node: A }, refill(B)])
        .unheard_write(A)
        .times(9, &[NONE, Prompt { node: B }])
        .then(&[Run { packet: 0 }])
        .times(3, &[NONE, Prompt { node: B }])
        .needs(patient(2), &[Rule::LapsedIsNotRenewed, Rule::CallRunsInTime]);
}

/// And by `UnlistedAreReaped`: a renewal of before that runs after the join puts the old generation back, under which the
/// marks of the new one are not the dead node's.
#[test]
fn a_generation_of_before_is_not_renewed() {
    Story::after(38)
        .then(&[NONE, Prompt { node: B }, Note { node: A }, Send { node: A }, Cut { node: A }])
        .then(&[Connect { node: A, server: 0 }, Send { node: A }, Run { packet: 1 }, Hear { packet: 1 }])
        .then(&[put(A), Run { packet: 0 }, Crash { node: A }])
        .times(16, &[ALL])
        .then(&[refill(B), Commit { write: 0 }])
        .needs(impatient(30), &[Rule::LapsedIsNotRenewed, Rule::UnlistedAreReaped]);
}
