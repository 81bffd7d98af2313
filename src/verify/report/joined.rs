//! The reports of several nodes as one.
//!
//! Each node knows its own writes and its own looks only. So what one of them proposes to be dropped less is left out: another
//! may have seen the harm. What is to be dropped more is put together.

use super::{Finding, Proposal, Report, RouteReport, Seen, WriteReport};

/// So many findings are kept.
const KEPT: usize = 50;

impl Report {
    /// This one and another node's.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let all = (self.nodes + self.others).max(other.nodes + other.others);
        self.nodes += other.nodes;
        self.others = all.saturating_sub(self.nodes);
        self.seconds = self.seconds.min(other.seconds);
        for route in other.routes {
            match self.routes.iter_mut().find(|known| known.route == route.route) {
                Some(known) => add_route(known, &route),
                None => self.routes.push(route),
            }
        }
        for write in other.writes {
            match self.writes.iter_mut().find(|known| known.request == write.request) {
                Some(known) => add_write(known, write),
                None => self.writes.push(write),
            }
        }
        self.findings.extend(other.findings);
        self.findings.sort_by_key(|finding| std::cmp::Reverse(found_at(finding)));
        self.findings.truncate(KEPT);
        self.proposals.retain(|proposal| !proposal.narrows);
        for proposal in other.proposals.into_iter().filter(|proposal| !proposal.narrows) {
            match self.proposals.iter_mut().find(|known| known.request == proposal.request) {
                Some(known) => add_proposal(known, proposal),
                None => self.proposals.push(proposal),
            }
        }
        add_all(&mut self.ignore, other.ignore);
        self
    }
}

fn add_route(known: &mut RouteReport, other: &RouteReport) {
    known.compared += other.compared;
    known.old += other.old;
    known.oldest_seconds = known.oldest_seconds.max(other.oldest_seconds);
    known.volatile += other.volatile;
    known.void += other.void;
    known.refetched += other.refetched;
    known.unchanged += other.unchanged;
    known.by_itself += other.by_itself;
    known.elsewhere += other.elsewhere;
}

fn add_write(known: &mut WriteReport, other: WriteReport) {
    known.times = known.times.saturating_add(other.times);
    for (mine, theirs) in [(&mut known.changes, other.changes), (&mut known.spares, other.spares)] {
        for seen in theirs {
            add_seen(mine, seen);
        }
    }
}

fn add_seen(known: &mut Vec<Seen>, other: Seen) {
    match known.iter_mut().find(|known| known.route == other.route) {
        Some(known) => known.answers = known.answers.saturating_add(other.answers),
        None => known.push(other),
    }
}

/// Both drop more than now, so both together do.
fn add_proposal(known: &mut Proposal, other: Proposal) {
    known.certain &= other.certain;
    known.is_there |= other.is_there;
    add_all(&mut known.adds, other.adds);
    add_all(&mut known.drops, other.drops);
    add_all(&mut known.evidence, other.evidence);
}

fn add_all(known: &mut Vec<String>, others: Vec<String>) {
    for other in others {
        if !known.contains(&other) {
            known.push(other);
        }
    }
}

fn found_at(finding: &Finding) -> u64 {
    finding.stored_at.saturating_add(finding.age_seconds.saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(by: Proposal, others: usize) -> Report {
        let route = RouteReport { route: "/a".to_owned(), compared: 2, old: 1, ..RouteReport::default() };
        let (routes, proposals) = (vec![route], vec![by]);
        Report { mode: "sample".to_owned(), nodes: 1, others, routes, proposals, ..Report::default() }
    }

    #[test]
    fn what_is_to_be_dropped_more_is_put_together_and_nothing_is_dropped_less() {
        let adds = |path: &str| Proposal {
            request: "POST /w".to_owned(),
            adds: vec![path.to_owned()],
            drops: vec![path.to_owned()],
            certain: true,
            ..Proposal::default()
        };
        let idle = Proposal { request: "POST /login".to_owned(), narrows: true, ..Proposal::default() };
        let one = told(adds("/a"), 2);
        let joined = one.and(told(adds("/b"), 2)).and(told(idle.clone(), 2));
        assert_eq!((joined.nodes, joined.others, joined.routes[0].compared, joined.routes[0].old), (3, 0, 6, 3));
        let [proposal] = &joined.proposals[..] else { panic!("{joined:?}") };
        assert_eq!((&*proposal.drops.concat(), &*proposal.adds.concat()), ("/a/b", "/a/b"));
        assert!(joined.text().contains("this is what 3 of 3 nodes have seen: "));
        assert!(told(idle, 0).and(told(adds("/b"), 0)).proposals.iter().all(|proposal| !proposal.narrows));
    }
}
