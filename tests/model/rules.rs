//! The rules of the protocol, each of which can be taken out to see whether the model notices.

/// What can be taken out. The text says what is done instead.
macro_rules! rules {
    ($($name:ident: $text:literal,)*) => {
        /// A rule of the protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Rule { $($name,)* }

        impl Rule {
            /// All of them.
            pub const ALL: &[Rule] = &[$(Rule::$name,)*];

            /// What is done where it is taken out.
            pub fn without(self) -> &'static str {
                match self { $(Rule::$name => $text,)* }
            }
        }
    };
}

rules! {
    HitNeedsPermit: "hits without a permit",
    HitNeedsNothingPending: "hits while something is pending in this process",
    HitNeedsToken: "hits of entries whose tags were invalidated",
    PermitCountsFromSending: "a permit counts from the answer, not from the sending",
    PermitNamesItsServer: "a permit holds for whatever another server says",
    CallRunsInTime: "a call runs however late it comes",
    UnconfirmedWaits: "an unconfirmed write is answered at once",
    UnconfirmedWaitsLongerThanOne: "an unconfirmed write is answered after one lease",
    UnconfirmedWaitsLongerThanTwo: "an unconfirmed write is answered after two leases",
    TimeIsNotedBeforeTheBatch: "the time of a call is noted after what is pending was taken for it",
    JoinCarriesPending: "a join carries nothing that is pending",
    JoinNotesMarks: "a join does not note the writes under way",
    PeersAreRemembered: "who is missing from the registry is forgotten at once",
    GivenUpMeansNewEpoch: "a node gives up a peer that is missing from the registry and starts no new epoch",
    MovedMeansNewEpoch: "a node that comes from another server starts no new epoch",
    LapsedIsNotRenewed: "a generation that is lapsed or missing is renewed",
    LapsedIsListed: "a lapsed node is not listed",
    AbsenceMeansNewEpoch: "a node that stayed away too long is forgotten without a new epoch",
    BuriedMeansNewEpoch: "a dead predecessor is forgotten without a new epoch",
    OtherServersEntriesLapsed: "what a registry says that was made by another server counts",
    OtherServersRecordIsNone: "a record that was made by another server counts",
    ConfirmedHereWaits: "a server that is new confirms at once",
    ConfirmedAtHomeOnly: "a server confirms at which this node has not joined",
    RenewalIsReplicated: "a renewal counts that no replica has confirmed",
    WriteIsMarked: "a write is not marked",
    MarksAreReaped: "the marks of a dead node stay",
    UnlistedAreReaped: "what a node marks that is not in the registry any more stays",
    ReapedIsHeld: "what a dead node marked is invalidated once and not held",
    HeldIsNotLowered: "an invalidation ends what is held",
    HeldIsLaidAgain: "what is held is not laid again in a new epoch",
    HeldEndsInvalidated: "what was held is valid again at its end",
    NewRegistryInvalidatesLater: "who makes a registry anew does not have everything invalidated once more later",
    UnknownIsHeld: "a write of unknown outcome invalidates once and holds nothing",
    LeaveCarriesPending: "a node signs off with something pending",
}

/// The rules that hold: all but those that are taken out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    out: u64,
}

impl Rules {
    /// All but this one.
    pub fn but(rule: Rule) -> Self {
        Self::but_all(&[rule])
    }

    /// All but these.
    pub fn but_all(rules: &[Rule]) -> Self {
        Self { out: rules.iter().fold(0, |out, rule| out | 1 << *rule as u64) }
    }

    /// Whether this one holds.
    pub fn has(self, rule: Rule) -> bool {
        self.out & (1 << rule as u64) == 0
    }
}
