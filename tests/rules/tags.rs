//! Tags that need not be made: a read whose tags rest on what another read's of the same key were made from has the same ones.

use aside::rules::{EntryRef, Read, Routes, place};
use http::HeaderMap;

use crate::{app, route};

/// Where the answer to a read is kept.
fn place_of(routes: &Routes, target: &str) -> EntryRef {
    let asked = target.parse().unwrap();
    let read = Read { target: &asked, fields: &HeaderMap::new(), host: None, secure: false };
    let at = match routes.find(asked.path()) {
        Some((route, captures)) => place(route, &read, &captures),
        None => routes.unrouted_place(&read),
    };
    at.unwrap_or_else(|_| panic!("{target} is stored nowhere"))
}

#[test]
fn tags_that_rest_on_the_same_are_the_same() {
    let reads = "/a/1 /a/1?x=1 /a/1/ /a/2 /b/1 /b/1?c=red /b/1?c=RED /b/1?c=red&x=1 /b/1?x=1&c=red /b/1?d=1 \
                 /f/1 /f/1?x=1 /e/x /e/x?y=1";
    let tables = [
        route("/a/{id}", "query = []\ntags = [\"id:{id}\"]"),
        route("/b/{id}", "key = \"b:{id}:{c}\"\nquery = [\"c\"]\ntags = [\"color:{c}\"]"),
        route("/f/{id}", "invalidated_by = [\"PUT /f/{id}\"]"),
    ];
    let app = app(&tables, reads);
    let mut known = Vec::new();
    for first in &app.reads {
        let basis = place_of(&app.routes, first).tags.basis().unwrap();
        for second in &app.reads {
            let (one, other) = (place_of(&app.routes, first), place_of(&app.routes, second));
            if one.key != other.key {
                continue;
            }
            let rests = other.tags.rest_on(&basis);
            assert!(!rests || one.tags == other.tags, "{first} {second}: {:?} {:?}", one.tags, other.tags);
            if rests && first < second {
                known.push([first.as_str(), second]);
            }
        }
        assert!(place_of(&app.routes, first).tags.rest_on(&basis), "{first}");
    }
    // Only where no value is in the query, another one says nothing.
    assert_eq!(known, [["/a/1", "/a/1?x=1"]]);
}

#[test]
fn tags_that_were_given_rest_on_nothing() {
    let app = app(&[route("/a/{id}", "")], "/a/1");
    let made = place_of(&app.routes, "/a/1");
    let given = EntryRef { tags: made.tags.to_vec().into(), ..made.clone() };
    assert!(given.tags.basis().is_none() && !given.tags.rest_on(&made.tags.basis().unwrap()));
    assert!(made.part().tags.rest_on(&made.tags.basis().unwrap()), "a part has those of the whole");
}
