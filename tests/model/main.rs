//! The model of the promise: the very machine that is shipped (`store::lease`), with simulated nodes, messages, Redis servers
//! and an origin around it.

#![allow(unreachable_pub, reason = "nobody uses a test crate, and its parts use each other")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod exhaustive;
mod node;
mod random;
mod rules;
mod server;
mod traces;
mod world;

use rules::{Rule, Rules};
use server::Setup;

fn setup(seed: u64) -> Setup {
    Setup {
        rules: Rules::default(),
        lease: 4,
        absence: [10, 16, 24][(seed % 3) as usize],
        commit_within: [6, 12, 30][(seed / 3 % 3) as usize],
        forward: !(seed / 9).is_multiple_of(3),
        nodes: 2 + (seed / 27 % 3) as usize,
        keys: 2,
    }
}

fn told(setup: &Setup, seed: u64) -> Option<String> {
    let run = random::run(setup, seed);
    let violation = run.end.err()?;
    let trace = random::shortened(setup, &run.trace);
    let shortest = random::breaks(setup, &trace);
    let lines: Vec<String> = trace.iter().map(|action| format!("  {action:?}")).collect();
    Some(format!("seed {seed}, {setup:?}: {}\nshortened: {shortest:?}\n{}", violation.0, lines.join("\n")))
}

#[test]
fn random_runs_keep_the_promise() {
    let mut gives = (0, 0);
    for seed in seeds(200) {
        let setup = setup(seed);
        if let Some(text) = told(&setup, seed) {
            panic!("{text}");
        }
        let (world, hits) = random::run(&setup, seed).end.unwrap();
        gives = (gives.0 + hits, gives.1 + world.alive());
    }
    assert!(gives.0 * 10 >= gives.1 * 9, "of {} nodes {} give hits in the end", gives.1, gives.0);
}

/// Seeds of runs.
fn seeds(many: u64) -> std::ops::Range<u64> {
    0..many
}

#[test]
#[ignore = "takes minutes"]
fn many_random_runs_keep_the_promise() {
    let found = seeds(50_000).filter_map(|seed| told(&setup(seed), seed)).inspect(|text| println!("{text}\n"));
    assert_eq!(found.take(10).count(), 0);
}

#[test]
fn everything_within_small_bounds_keeps_the_promise() {
    let none = exhaustive::Bounds { until: 0, puts: 0, crashes: 0, stalls: 0, outages: 0, held: 0, failures: 0 };
    for (bounds, rule) in [
        (exhaustive::Bounds { until: 5, puts: 2, crashes: 1, stalls: 1, ..none }, Rule::HitNeedsToken),
        (exhaustive::Bounds { until: 8, puts: 1, outages: 1, ..none }, Rule::UnconfirmedWaits),
    ] {
        let started = aside::clock::boot_millis();
        let found = explore(&small(), bounds);
        println!("{} states, {} ms", found.states, aside::clock::boot_millis() - started);
        assert!(found.states > 1_000, "{}", found.states);
        if let Some((violation, trace)) = found.violation {
            panic!("{violation:?} {trace:#?}");
        }
        let without = explore(&Setup { rules: Rules::but(rule), ..small() }, bounds);
        assert!(without.violation.is_some(), "nobody notices that {rule:?} is missing");
    }
}

/// Rules taken out one by one, with a seed whose run breaks the promise then, and keeps it otherwise.
const NOTICED: &[(Rule, u64)] = &[
    (Rule::HitNeedsPermit, 19),
    (Rule::HitNeedsToken, 1),
    (Rule::PermitNamesItsServer, 19),
    (Rule::UnconfirmedWaits, 42),
    (Rule::UnconfirmedWaitsLongerThanOne, 151),
    (Rule::PeersAreRemembered, 202),
    (Rule::GivenUpMeansNewEpoch, 202),
    (Rule::ConfirmedAtHomeOnly, 212),
    (Rule::WriteIsMarked, 349),
    (Rule::MarksAreReaped, 349),
];

#[test]
fn rules_that_are_taken_out_are_noticed() {
    for (rule, seed) in NOTICED {
        let without = Setup { rules: Rules::but(*rule), ..setup(*seed) };
        assert!(random::run(&without, *seed).end.is_err(), "{rule:?}");
        assert!(random::run(&setup(*seed), *seed).end.is_ok(), "{rule:?}");
    }
}

/// A rule that nobody would miss is either none, or the model does not see what it is for.
#[test]
fn every_rule_is_taken_out_somewhere() {
    let traces = include_str!("traces.rs");
    let is_told = |rule: &Rule| traces.contains(&format!("Rule::{rule:?}"));
    let is_noticed = |rule: &Rule| NOTICED.iter().any(|(noticed, _)| noticed == rule);
    let left: Vec<&Rule> = Rule::ALL.iter().filter(|rule| !is_told(rule) && !is_noticed(rule)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
#[ignore = "takes minutes"]
fn table() {
    for rule in Rule::ALL {
        let (mut found, mut first) = (0, None);
        for seed in seeds(1_500) {
            let setup = Setup { rules: Rules::but(*rule), ..setup(seed) };
            if random::run(&setup, seed).end.is_err() {
                found += 1;
                first = first.or(Some(seed));
            }
        }
        println!("{found:>5} {first:>12?} {rule:?}: {}", rule.without());
    }
}

fn small() -> Setup {
    Setup { rules: Rules::default(), lease: 4, absence: 40, commit_within: 8, forward: true, nodes: 2, keys: 1 }
}

fn explore(setup: &Setup, bounds: exhaustive::Bounds) -> exhaustive::Found {
    exhaustive::explore(setup, bounds, 50)
}

#[test]
#[ignore = "takes minutes"]
fn small_table() {
    let bounds = exhaustive::Bounds { until: 14, puts: 1, crashes: 0, stalls: 0, outages: 1, held: 1, failures: 0 };
    for rule in [
        Rule::UnconfirmedWaitsLongerThanTwo,
        Rule::CallRunsInTime,
        Rule::PermitCountsFromSending,
        Rule::LapsedIsNotRenewed,
        Rule::JoinCarriesPending,
        Rule::TimeIsNotedBeforeTheBatch,
    ] {
        let found = explore(&Setup { rules: Rules::but(rule), ..small() }, bounds);
        println!("{rule:?} {} {:?}", found.states, found.violation);
    }
}
