//! Holds the house: which room may name which, which crates a room may name, where an `impl` stands, that no files use each
//! other in a circle, and how long they are. Reads the source, so that a breach is told with its file and line.
//! `scripts/structure` prints the whole picture.

#![allow(unreachable_pub, reason = "nobody uses a test crate, and its parts use each other")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod circles;
mod edges;
mod impls;
mod names;
mod rooms;
mod shape;
mod source;

use source::sources;

fn none_of(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

#[test]
fn rooms_name_only_the_rooms_below_them() {
    none_of(&rooms::upward(&sources()));
}

#[test]
fn crates_stay_in_their_rooms() {
    none_of(&rooms::strangers(&sources()));
}

#[test]
fn pure_rooms_decide_and_do_nothing() {
    none_of(&rooms::impure(&sources()));
}

#[test]
fn an_impl_stands_with_its_type() {
    none_of(&impls::misplaced(&sources(), rooms::may_name));
}

#[test]
fn files_do_not_use_each_other_in_a_circle() {
    let sources = sources();
    let edges = edges::edges(&sources);
    let mut told = String::new();
    for circle in circles::circles(&edges) {
        shape::write_circle(&mut told, &sources, &edges, &circle);
    }
    assert!(told.is_empty(), "\n{told}");
}

#[test]
fn every_file_says_its_duty_and_is_neither_long_nor_a_splinter() {
    none_of(&shape::misshapen(&sources(), shape::reasons()));
}

#[test]
#[ignore = "prints; scripts/structure runs it"]
fn structure() {
    let sources = sources();
    let breaches = [
        (
            "short files without a reason, long ones, and those without a duty",
            shape::misshapen(&sources, shape::reasons()),
        ),
        ("impls that stand elsewhere", impls::misplaced(&sources, rooms::may_name)),
        ("arrows up", rooms::upward(&sources)),
    ];
    print!("{}", shape::picture(&sources, &breaches));
}
