//! The registry of the nodes that share a Redis, `aside:{app}:nodes`: what is asked of it and how it answers.

use bytes::Bytes;

use super::arguments::{Call as Script, fresh, number};
use super::codec::{VERSION, tag_list};
use super::outage::Outage;
use super::pending::Batch;
use super::rules::Told;
use super::session::Session;
use super::settings::NodeSettings;
use super::writes::Writes;
use crate::clock::Millis;
use crate::store::core::{FOLDED_AT_ONCE, Fault, MARK_LIMIT, TAG_LIMIT};
use crate::store::lease::{Answer, Call, NodeId, Peer, PeerState, Roll, Step};

/// Which fields of the record tell of a tag, and what follows from them: another number where a node of the last release would
/// take an entry for valid that one of this release has invalidated, or the other way round. A node of another law is one of
/// other rules, so as long as both are there every write invalidates everything. So is one that stores entries of another form: a
/// purge by prefix would not see them.
const LAW: u8 = 3;

/// What this process asks for.
pub(super) struct Errand {
    step: &'static str,
    generation: u64,
    run_before: Millis,
    since: Option<Millis>,
    gives_up: bool,
}

impl From<Call> for Errand {
    fn from(call: Call) -> Self {
        let step = match call.step {
            Step::Join => "join",
            Step::Renew => "renew",
        };
        Self {
            step,
            generation: call.generation,
            run_before: call.run_before,
            since: call.since,
            gives_up: call.gives_up,
        }
    }
}

impl Errand {
    /// To sign off; `moved` from another server, where what that one has confirmed may be lost.
    pub(super) fn leave(generation: u64, run_before: Millis, moved: bool) -> Self {
        Self { step: "leave", generation, run_before, since: None, gives_up: moved }
    }
}

/// Calls the registry with everything that is pending, and waits for as long as it takes. The error ends the session.
pub(super) async fn call(
    session: &Session,
    node: &NodeSettings,
    writes: &Writes,
    errand: Errand,
    (batch, told): (&Batch, &Told),
) -> Result<Answer, Outage> {
    let keys = node.layout.control();
    let script = Script {
        record_key: keys.record,
        nodes_key: keys.nodes,
        pend_key: keys.pend,
        held_key: keys.held,
        mark_limit: number(MARK_LIMIT),
        fresh_epoch: fresh(),
        tag_limit: number(TAG_LIMIT),
        folded_at_once: number(FOLDED_AT_ONCE),
        node: node.id.as_bytes().to_vec().into(),
        generation: number(errand.generation),
        step: Bytes::from_static(errand.step.as_bytes()),
        run_before: number(errand.run_before),
        known_since: errand.since.map(number).unwrap_or_default(),
        gives_up: Bytes::from_static(if errand.gives_up { b"1" } else { b"0" }),
        lease: number(node.lease_millis()),
        absence: number(node.absence_millis()),
        commit_within: number(node.commit_within_millis()),
        rules: fingerprint(told.rules),
        rules_before: told.before.map(fingerprint).unwrap_or_default(),
        rules_changed: tag_list(&told.changed),
        lock: node.lock.clone(),
        pending: batch.to_json().into(),
        marks: if errand.step == "renew" { Bytes::from_static(b"{}") } else { writes.to_json() },
    };
    let answer = session.call(script).await?;
    let said = parse(&answer).ok_or_else(|| Outage::Unfit(format!("the registry answered {answer:?}")))?;
    if matches!(said, Answer::Done(_)) {
        replicated(session, node).await?;
    }
    Ok(said)
}

/// A fingerprint of rules as the registry has it.
pub(super) fn fingerprint(rules: u64) -> Bytes {
    format!("{rules:016x}{LAW:02x}{VERSION}").into()
}

/// Waits until as many replicas have what was done as have to.
async fn replicated(session: &Session, node: &NodeSettings) -> Result<(), Outage> {
    let count = match node.replicas {
        Some(count) => count,
        None if node.url.has_sentinels() => node.followers.needed(session.server, session.replicas),
        None => 0,
    };
    let confirmed = if count == 0 { Ok(0) } else { session.wait_replicas(count, node.lease / 2).await };
    match confirmed {
        Ok(confirmed) if confirmed >= count => node.followers.confirmed(session.server, confirmed),
        Ok(confirmed) => {
            let text =
                format!("{confirmed} of {count} replicas confirmed a renewal; [store] replicas says how many have to");
            return Err(Outage::Unreachable(text));
        }
        Err(Fault::Refused(text)) => return Err(Outage::Unfit(format!("it refuses WAIT: {text}"))),
        Err(fault) => return Err(Outage::Unreachable(format!("its replicas did not confirm a renewal: {fault}"))),
    }
    Ok(())
}

/// Reads what `call.lua` answers; nothing comes back for a server that is another one by now.
fn parse(text: &str) -> Option<Answer> {
    let mut words = text.split(' ');
    let (word, now) = (words.next()?, words.next()?.parse().ok()?);
    match word {
        "late" => Some(Answer::Late(now)),
        "lapsed" => Some(Answer::Lapsed(now)),
        "done" => {
            let (since, flags, peers) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
            let peers =
                if peers == "-" { Vec::new() } else { peers.split(',').map(parse_peer).collect::<Option<_>>()? };
            let roll = Roll { now, since, peers, unaware: flags.contains('u'), rules_differ: flags.contains('d') };
            Some(Answer::Done(roll))
        }
        _ => None,
    }
}

fn parse_peer(text: &str) -> Option<Peer> {
    let (id, state) = text.split_once(':')?;
    let state = match state {
        "a" => PeerState::Alive,
        "l" => PeerState::Lapsed,
        "o" => PeerState::Off,
        _ => return None,
    };
    Some(Peer { id: NodeId(u64::from_str_radix(id, 16).ok()?), state })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let peers = vec![
            Peer { id: NodeId(10), state: PeerState::Alive },
            Peer { id: NodeId(11), state: PeerState::Lapsed },
            Peer { id: NodeId(12), state: PeerState::Off },
        ];
        let roll = Roll { now: 7, since: 5, peers, unaware: true, rules_differ: true };
        assert_eq!(parse("done 7 5 du 0a:a,0b:l,0c:o"), Some(Answer::Done(roll)));
        let alone = Roll { now: 7, since: 5, peers: Vec::new(), unaware: false, rules_differ: false };
        assert_eq!(parse("done 7 5 -- -"), Some(Answer::Done(alone)));
        assert_eq!(parse("late 7"), Some(Answer::Late(7)));
        assert_eq!(parse("lapsed 7"), Some(Answer::Lapsed(7)));
        for text in ["", "done", "done 7 5 --", "done 7 5 -- 0a", "done 7 5 -- 0a:x", "done x 5 -- -", "elsewhere 7"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
