//! Everything there is: nodes, servers, the origin, what is on its way, and what has been promised.

mod promise;

use aside::store::lease::Answer;

use crate::node::Node;
use crate::rules::Rule;
use crate::server::{Entry, Mark, Message, Server, Setup, Time, Token, Unmade, WriteId};

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

/// How a write stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Forwarded,
    /// Redis has invalidated what it changed; it is answered from then on.
    Confirmed {
        from: Time,
    },
    /// It is answered once what has this number is made, or from then on, with `forward`.
    Pending {
        number: u32,
        from: Time,
    },
    /// Nobody is answered.
    Lost,
    /// The client has its answer.
    Answered {
        unconfirmed: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Write {
    id: WriteId,
    key: usize,
    place: usize,
    process: u64,
    forwarded: Time,
    version: Option<u32>,
    stage: Stage,
    /// What is promised after it is given up by name.
    given_up: bool,
    /// It is noted anew by each join.
    under_way: bool,
    /// Redis has noted it before it was forwarded.
    noted: bool,
}

impl Write {
    /// Given up by name: a write that Redis could not note, with `forward`, whose node dies before the origin commits.
    fn unheard_of(&self) -> bool {
        !self.noted && self.stage == Stage::Lost
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Fill {
    place: usize,
    process: u64,
    server: u64,
    key: usize,
    token: Token,
    version: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Packet {
    process: u64,
    connection: u32,
    server: u64,
    message: Message,
    answer: Option<Answer>,
}

/// A command of a core's session that was given up and may still run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum LateCommand {
    Mark(Mark),
    Make(Unmade),
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub now: Time,
    pub nodes: Vec<Node>,
    pub servers: Vec<Server>,
    origin: Vec<u32>,
    writes: Vec<Write>,
    fills: Vec<Fill>,
    packets: Vec<Packet>,
    late: Vec<(u64, LateCommand)>,
    saved: Option<Server>,
    replica: Server,
    epochs: u32,
    next_id: u64,
    /// Processes whose entry in a registry was lost.
    lost: u64,
}

/// A read that is older than an answered write, or an entry that stays old.
#[derive(Clone, Debug)]
pub struct Violation(pub String);

impl World {
    /// Nodes that have just started, one empty Redis.
    pub fn new(setup: &Setup) -> Self {
        let nodes = (0..setup.nodes).map(|place| Node::new(place as u64 + 1, setup, true, 0)).collect();
        Self {
            now: 0,
            nodes,
            servers: vec![Server::new(1, setup.keys)],
            origin: vec![0; setup.keys],
            writes: Vec::new(),
            fills: Vec::new(),
            packets: Vec::new(),
            late: Vec::new(),
            saved: None,
            replica: Server::new(1, setup.keys),
            epochs: 0,
            next_id: setup.nodes as u64 + 1,
            lost: 0,
        }
    }

    /// Whether it may happen now.
    pub fn may(&self, setup: &Setup, action: Action) -> bool {
        let node = |place: usize| &self.nodes[place];
        match action {
            Action::Tick { .. } | Action::Flush { .. } | Action::Evict { .. } | Action::Save => true,
            Action::Connect { node: at, server } => {
                node(at).acts() && !node(at).off && node(at).control.is_none() && server < self.servers.len()
            }
            Action::Note { node: at } | Action::Prompt { node: at } => {
                let node = node(at);
                let free = !self.packets.iter().any(|packet| self.is_heard(packet));
                node.acts()
                    && !node.off
                    && node.control.is_some()
                    && node.noted.is_none()
                    && (node.is_due(self.now) || (node.has_pending() && free))
            }
            Action::Send { node: at } => node(at).acts() && node(at).noted.is_some(),
            Action::Run { packet } => {
                self.packets.get(packet).is_some_and(|packet| packet.answer.is_none() && !self.is_off(packet))
            }
            Action::Hear { packet } => self
                .packets
                .get(packet)
                .is_some_and(|packet| packet.answer.is_some() && self.is_heard(packet) && !self.is_off(packet)),
            Action::Cut { node: at } => node(at).alive && node(at).control.is_some(),
            Action::Off { node: at, off } => node(at).alive && node(at).off != off,
            Action::Stall { node: at, stalled } => node(at).alive && node(at).stalled != stalled,
            Action::Session { node: at, server } => {
                node(at).acts()
                    && !node(at).off
                    && self.servers.get(server).is_some_and(|server| node(at).session != Some(server.id))
            }
            Action::Put { node: at, way, .. } => {
                node(at).acts() && (setup.forward || way == Way::Done) && self.may_end(setup, at, way)
            }
            Action::Commit { write } => self.writes.get(write).is_some_and(|write| {
                write.version.is_none() && self.now < write.forwarded + setup.commit_within && !write.unheard_of()
            }),
            Action::Finish { write, way } => self.writes.get(write).is_some_and(|write| {
                let waits = write.stage == Stage::Forwarded && write.version.is_some();
                waits && self.is_here(write) && self.may_end(setup, write.place, way)
            }),
            Action::Unknown { write, way } => self.writes.get(write).is_some_and(|write| {
                write.stage == Stage::Forwarded && self.is_here(write) && self.may_end(setup, write.place, way)
            }),
            Action::Answer { write } => self.writes.get(write).is_some_and(|write| self.may_answer(setup, write)),
            Action::RunLate { late } => late < self.late.len(),
            Action::Look { node: at, .. } => {
                node(at).acts() && self.fills.len() < 3 && self.at_home(setup, at).is_some()
            }
            Action::Refill { node: at, key } => {
                let absent = |place: usize| self.servers[place].valid(setup, key).is_none();
                node(at).acts() && self.at_home(setup, at).is_some_and(absent)
            }
            Action::Fetch { fill } => self.fills.get(fill).is_some_and(|fill| fill.version.is_none()),
            Action::Store { fill } => self.fills.get(fill).is_some_and(|fill| fill.version.is_some()),
            Action::Crash { node: at } => node(at).alive,
            Action::Start { node: at, .. } => !node(at).alive && self.next_id < 60,
            Action::Leave { node: at } => {
                let busy = |write: &Write| {
                    write.process == node(at).id
                        && matches!(write.stage, Stage::Forwarded | Stage::Confirmed { .. } | Stage::Pending { .. })
                };
                node(at).acts() && !node(at).off && node(at).is_joined() && !self.writes.iter().any(busy)
            }
            Action::Restart { empty } => empty || self.saved.is_some(),
            Action::Promote => self.servers.len() == 1,
        }
    }

    /// Does it. What follows may break the promise: then it says how.
    pub fn step(&mut self, setup: &Setup, action: Action) -> Result<(), Violation> {
        match action {
            Action::Tick { pilot } => {
                self.now += 1;
                for at in 0..self.nodes.len() {
                    if pilot {
                        self.pilot(setup, at);
                    }
                }
                self.prune(setup);
            }
            Action::Connect { node, server } => {
                let id = self.servers[server].id;
                self.nodes[node].connect(setup, self.now, id);
                if self.nodes[node].session.is_none() {
                    self.nodes[node].session = Some(id);
                }
            }
            Action::Note { node } => self.nodes[node].tick(setup, self.now),
            Action::Send { node } => drop(self.send(setup, node)),
            Action::Prompt { node } => {
                self.nodes[node].tick(setup, self.now);
                self.prompt(setup, node);
            }
            Action::Run { packet } => self.run(setup, packet),
            Action::Hear { packet } => self.hear(setup, packet),
            Action::Cut { node } => self.nodes[node].disconnect(),
            Action::Off { node, off } => self.nodes[node].off = off,
            Action::Stall { node, stalled } => self.nodes[node].stalled = stalled,
            Action::Session { node, server } => self.nodes[node].session = Some(self.servers[server].id),
            Action::Put { node, key, way } => self.begin(setup, node, key, way),
            Action::Commit { write } => {
                let write = &mut self.writes[write];
                self.origin[write.key] += 1;
                write.version = Some(self.origin[write.key]);
            }
            Action::Finish { write, way } => self.finish(setup, write, way, false),
            Action::Unknown { write, way } => self.finish(setup, write, way, true),
            Action::Answer { write } => self.answer(setup, write),
            Action::RunLate { late } => self.run_late(setup, late),
            Action::Look { node, key } => self.look(setup, node, key),
            Action::Fetch { fill } => self.fills[fill].version = Some(self.origin[self.fills[fill].key]),
            Action::Store { fill } => self.store(setup, fill),
            Action::Refill { node, key } => self.refill(setup, node, key),
            Action::Crash { node } => self.crash(node),
            Action::Start { node, lock } => {
                self.nodes[node] = Node::new(self.next_id, setup, lock, self.now);
                self.next_id += 1;
            }
            Action::Leave { node } => self.leave(setup, node),
            Action::Flush { all } => {
                self.lose();
                self.current().flush(all);
            }
            Action::Evict { record } => {
                if !record {
                    self.lose();
                }
                self.current().evict(record);
            }
            Action::Save => self.saved = Some(self.current().clone()),
            Action::Restart { empty } => self.restart(setup, empty),
            Action::Promote => self.promote(),
        }
        self.check(setup)
    }

    fn is_heard(&self, packet: &Packet) -> bool {
        let mine = |node: &&Node| node.alive && node.id == packet.process && node.control == Some(packet.server);
        self.nodes.iter().find(mine).is_some_and(|node| node.connection == packet.connection && node.acts())
    }

    /// While its sender reaches nothing, what it has sent on a connection that is there is held.
    fn is_off(&self, packet: &Packet) -> bool {
        self.nodes.iter().any(|node| node.id == packet.process && node.alive && node.off)
    }

    fn is_here(&self, write: &Write) -> bool {
        let node = &self.nodes[write.place];
        node.id == write.process && node.acts()
    }

    /// The server of a node's session, where that is the server of its lease.
    fn at_home(&self, setup: &Setup, at: usize) -> Option<usize> {
        let node = &self.nodes[at];
        let server = node.session.filter(|_| !node.off)?;
        let place = self.place(server)?;
        node.is_at_home(setup, server).then_some(place)
    }

    fn may_end(&self, setup: &Setup, at: usize, way: Way) -> bool {
        way == Way::Lost || self.at_home(setup, at).is_some()
    }

    fn place(&self, server: u64) -> Option<usize> {
        self.servers.iter().position(|there| there.id == server)
    }

    fn current(&mut self) -> &mut Server {
        self.servers.last_mut().expect("there is always one")
    }

    /// Whoever is listed there may be so no more.
    fn lose(&mut self) {
        let listed: Vec<u64> = self.servers.iter().flat_map(Server::listed).collect();
        self.lost = listed.into_iter().fold(self.lost, |lost, id| lost | 1 << id);
    }

    /// What a node does that nobody disturbs.
    fn pilot(&mut self, setup: &Setup, at: usize) {
        let node = &self.nodes[at];
        if !node.acts() || node.off {
            return;
        }
        let server = self.servers.len() - 1;
        if self.servers[server].id != node.session.unwrap_or(0) {
            self.nodes[at].session = Some(self.servers[server].id);
        }
        for _ in 0..2 {
            if self.nodes[at].control.is_none() {
                self.nodes[at].connect(setup, self.now, self.servers[server].id);
            } else if self.may(setup, Action::Note { node: at }) {
                self.nodes[at].tick(setup, self.now);
            }
            self.prompt(setup, at);
            if self.nodes[at].control.is_some() {
                break;
            }
        }
    }

    /// Sends and answers until nothing is under way.
    fn prompt(&mut self, setup: &Setup, at: usize) {
        for _ in 0..4 {
            let Some(packet) = self.send(setup, at) else { return };
            self.run(setup, packet);
            if self.packets[packet].answer.is_some() {
                self.hear(setup, packet);
            }
        }
    }

    fn send(&mut self, setup: &Setup, at: usize) -> Option<usize> {
        let node = &mut self.nodes[at];
        let (process, connection, server) = (node.id, node.connection, node.control?);
        let mut message = node.send(setup)?;
        message.lock = node.lock.then_some(at);
        if message.call.step == aside::store::lease::Step::Join && setup.has(Rule::JoinNotesMarks) {
            let generation = message.call.generation;
            let mine = |write: &&Write| write.process == process && write.under_way && setup.has(Rule::WriteIsMarked);
            let mark = |write: &Write| Mark { write: write.id, node: process, generation, key: write.key };
            message.marks = self.writes.iter().filter(mine).map(mark).collect();
        }
        self.packets.push(Packet { process, connection, server, message, answer: None });
        Some(self.packets.len() - 1)
    }

    fn run(&mut self, setup: &Setup, packet: usize) {
        let Some(place) = self.place(self.packets[packet].server) else {
            self.packets[packet].answer = Some(Answer::Failed);
            return;
        };
        let (server, packet) = (&mut self.servers[place], &mut self.packets[packet]);
        let mut answer = server.call(setup, self.now, &mut self.epochs, &packet.message);
        if matches!(answer, Answer::Done(_)) {
            if let Some(node) = self.nodes.iter_mut().find(|node| node.id == packet.process) {
                node.ran = self.now;
            }
            if server.replicated {
                self.replica = server.clone();
            } else if setup.has(Rule::RenewalIsReplicated) {
                answer = Answer::Failed;
            }
        }
        packet.answer = Some(answer);
    }

    fn hear(&mut self, setup: &Setup, packet: usize) {
        let packet = self.packets.remove(packet);
        let Some(answer) = packet.answer else { return };
        if let Some(node) = self.nodes.iter_mut().find(|node| node.id == packet.process) {
            node.answered(setup, self.now, &packet.message, answer);
        }
    }

    /// What can have no consequence any more is gone.
    fn prune(&mut self, setup: &Setup) {
        let (now, in_time) = (self.now, setup.has(Rule::CallRunsInTime));
        let packets = std::mem::take(&mut self.packets);
        let matters = |packet: &Packet| {
            let runs = packet.answer.is_none() && (now <= packet.message.call.run_before || !in_time);
            let alive = self.nodes.iter().any(|node| {
                node.alive
                    && node.id == packet.process
                    && node.connection == packet.connection
                    && node.control.is_some()
            });
            alive || (runs && self.place(packet.server).is_some())
        };
        self.packets = packets.into_iter().filter(matters).collect();
        self.late.retain(|(server, _)| self.servers.iter().any(|there| there.id == *server));
    }

    fn begin(&mut self, setup: &Setup, at: usize, key: usize, way: Way) {
        let id = WriteId::try_from(self.writes.len()).expect("few") + 1;
        let node = &self.nodes[at];
        let (process, generation) = (node.id, node.generation());
        let mark = Mark { write: id, node: process, generation, key };
        if let Some(place) = self.at_home(setup, at).filter(|_| setup.has(Rule::WriteIsMarked)) {
            match way {
                Way::Done | Way::Unheard => self.servers[place].mark(mark),
                Way::Late => self.late.push((self.servers[place].id, LateCommand::Mark(mark))),
                Way::Lost => {}
            }
        }
        self.writes.push(Write {
            id,
            key,
            place: at,
            process,
            forwarded: self.now,
            version: None,
            stage: Stage::Forwarded,
            given_up: false,
            under_way: true,
            noted: way == Way::Done || way == Way::Unheard,
        });
    }

    fn finish(&mut self, setup: &Setup, write: usize, way: Way, unknown: bool) {
        let Write { key, id, place: at, .. } = self.writes[write];
        let unmade = Unmade { key, write: id, hold: unknown };
        self.writes[write].under_way = false;
        let mut confirmed = None;
        if let Some(place) = self.at_home(setup, at) {
            let server = &mut self.servers[place];
            if matches!(way, Way::Done | Way::Unheard) {
                server.make(setup, self.now, &mut self.epochs, unmade);
            }
            if way == Way::Late {
                self.late.push((server.id, LateCommand::Make(unmade)));
            }
            if way == Way::Done {
                confirmed = self.nodes[at].confirms_from(setup, server.id, self.now);
            }
        }
        let stage = if let Some(from) = confirmed {
            Stage::Confirmed { from }
        } else {
            let (number, from) = self.nodes[at].add_pending(setup, self.now, unmade);
            Stage::Pending { number, from }
        };
        self.writes[write].stage = if unknown { Stage::Lost } else { stage };
    }

    fn may_answer(&self, setup: &Setup, write: &Write) -> bool {
        if !self.is_here(write) {
            return false;
        }
        let node = &self.nodes[write.place];
        match write.stage {
            Stage::Confirmed { from } => self.now >= from,
            Stage::Pending { number, from } => {
                let made = node.is_confirmed(number) && self.now >= node.confirmed_from(setup);
                made || (setup.forward && self.now >= from)
            }
            _ => false,
        }
    }

    fn answer(&mut self, setup: &Setup, write: usize) {
        let write = &mut self.writes[write];
        let node = &self.nodes[write.place];
        let unconfirmed = match write.stage {
            Stage::Pending { number, .. } => !(node.is_confirmed(number) && self.now >= node.confirmed_from(setup)),
            _ => false,
        };
        // Given up by name: a node out for longer than `absence`, with `forward`.
        write.given_up = unconfirmed && self.now >= node.ran + setup.absence;
        write.stage = Stage::Answered { unconfirmed };
    }

    fn run_late(&mut self, setup: &Setup, late: usize) {
        let (server, command) = self.late.remove(late);
        let Some(place) = self.place(server) else { return };
        match command {
            LateCommand::Mark(mark) => self.servers[place].mark(mark),
            LateCommand::Make(unmade) => self.servers[place].make(setup, self.now, &mut self.epochs, unmade),
        }
    }

    fn look(&mut self, setup: &Setup, at: usize, key: usize) {
        let Some(place) = self.at_home(setup, at) else { return };
        let token = self.servers[place].look_up(setup, self.now, &mut self.epochs);
        let (process, server) = (self.nodes[at].id, self.servers[place].id);
        self.fills.push(Fill { place: at, process, server, key, token, version: None });
    }

    fn store(&mut self, setup: &Setup, fill: usize) {
        let Fill { process, server, key, token, version, place: at } = self.fills.remove(fill);
        let (Some(place), Some(version)) = (self.place(server), version) else { return };
        if self.nodes[at].id == process {
            self.servers[place].put(setup, key, Entry { token, version });
        }
    }

    fn crash(&mut self, at: usize) {
        let id = self.nodes[at].id;
        self.nodes[at].alive = false;
        self.nodes[at].disconnect();
        for write in self.writes.iter_mut().filter(|write| write.process == id) {
            write.under_way = false;
            if !matches!(write.stage, Stage::Answered { .. }) {
                write.stage = Stage::Lost;
            }
        }
    }

    fn leave(&mut self, setup: &Setup, at: usize) {
        let node = &self.nodes[at];
        let mut message = node.good_bye(setup, self.now);
        message.lock = node.lock.then_some(at);
        if let Some(place) = node.control.and_then(|server| self.place(server)) {
            let answer = self.servers[place].call(setup, self.now, &mut self.epochs, &message);
            if matches!(answer, Answer::Done(_)) {
                self.crash(at);
            }
        }
    }

    fn restart(&mut self, setup: &Setup, empty: bool) {
        self.lose();
        let id = self.servers.last().map_or(1, |server| server.id) + 1;
        let saved = self.saved.clone().filter(|_| !empty);
        let server = saved.map_or_else(|| Server::new(id, setup.keys), |saved| saved.renamed(id));
        let gone = self.servers.pop().map(|server| server.id);
        for node in &mut self.nodes {
            if node.control == gone {
                node.disconnect();
            }
            if node.session == gone {
                node.session = None;
            }
        }
        self.servers.push(server);
    }

    fn promote(&mut self) {
        self.lose();
        let id = self.servers.last().map_or(1, |server| server.id) + 1;
        for server in &mut self.servers {
            server.replicated = false;
        }
        self.servers.push(self.replica.renamed(id));
    }

    /// Whether the node of a write reaches no Redis.
    pub fn is_cut_off(&self, write: usize) -> bool {
        self.writes.get(write).is_some_and(|write| self.nodes[write.place].off)
    }

    /// How many alive.
    pub fn alive(&self) -> usize {
        self.nodes.iter().filter(|node| node.alive).count()
    }

    /// How many of each there are: writes, fills, calls on their way, late commands.
    pub fn counts(&self) -> [usize; 4] {
        [self.writes.len(), self.fills.len(), self.packets.len(), self.late.len()]
    }
}
