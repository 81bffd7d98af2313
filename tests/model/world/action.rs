//! What can happen.

/// How a command of a core's session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// It runs, and is answered.
    Done,
    /// It never runs, and fails.
    Lost,
    /// It runs, and its answer is lost.
    Unheard,
    /// It fails, and runs later.
    Late,
}

/// All ways.
pub const WAYS: [Way; 4] = [Way::Done, Way::Lost, Way::Unheard, Way::Late];

/// What happens next. Nodes are meant by their place, what is on its way by its place in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Time passes; whoever is not disturbed does what is due.
    Tick { pilot: bool },
    /// A node opens its control connection.
    Connect { node: usize, server: usize },
    /// A node notes the time of a call.
    Note { node: usize },
    /// It sends it.
    Send { node: usize },
    /// Everything of a call at once.
    Prompt { node: usize },
    /// A call arrives and runs.
    Run { packet: usize },
    /// Its answer arrives.
    Hear { packet: usize },
    /// A control connection breaks; what is on its way may still arrive.
    Cut { node: usize },
    /// A node reaches Redis no more, or again.
    Off { node: usize, off: bool },
    /// A node does nothing, or goes on.
    Stall { node: usize, stalled: bool },
    /// A core's session goes to another server.
    Session { node: usize, server: usize },
    /// A client's PUT is marked and forwarded.
    Put { node: usize, key: usize, way: Way },
    /// The origin commits a write.
    Commit { write: usize },
    /// Its answer arrives, and what it has changed is invalidated.
    Finish { write: usize, way: Way },
    /// No answer arrives.
    Unknown { write: usize, way: Way },
    /// The client is answered.
    Answer { write: usize },
    /// A command that was late runs.
    RunLate { late: usize },
    /// A read that misses looks up.
    Look { node: usize, key: usize },
    /// It has the origin's answer.
    Fetch { fill: usize },
    /// It is stored.
    Store { fill: usize },
    /// All of a read at once, where nothing may be given out.
    Refill { node: usize, key: usize },
    /// A process is killed.
    Crash { node: usize },
    /// Another one starts in its place.
    Start { node: usize, lock: bool },
    /// A process leaves in order.
    Leave { node: usize },
    /// Redis loses the control keys, or everything.
    Flush { all: bool },
    /// Redis loses its record, or its registry.
    Evict { record: bool },
    /// Redis writes its snapshot.
    Save,
    /// Redis is killed and comes back, from its snapshot or empty.
    Restart { empty: bool },
    /// The replica becomes another master, beside the one there was.
    Promote,
}
