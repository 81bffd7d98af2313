//! What a write costs is bounded by the routes, whatever it says: each is dropped once, and nothing long is taken apart.

use aside::rules::{Cause, Scope, Tag};

use super::{App, app, route, sent, write};

/// What folds to eighteen times its length.
const LIGATURE: &str = "\u{fdfa}";

fn many(invalidated_by: &str) -> App {
    let lines = |n: usize| format!("query = [\"id\"]\nkey = \"r{n}:{{id}}\"\n{invalidated_by}");
    let tables: Vec<String> = (0..1000).map(|n| route(&format!("/r{n}"), &lines(n))).collect();
    app(&tables, "/r0?id=1 /r999?id=1")
}

#[test]
fn a_long_odd_value_drops_each_route_once_and_names_nothing() {
    let many =
        many("invalidated_by = [\"POST /import\", { request = \"* /import\", variables = { id = \"{body:/id}\" } }]");
    let long = LIGATURE.repeat(20_000);
    let drops = sent("POST /import").json(format!("{{\"id\": \"{long}\"}}")).invalidations(&many.routes);
    let of_routes: Vec<_> = drops.iter().filter(|drop| drop.scope == Scope::Route).collect();
    assert_eq!(of_routes.len(), 1000);
    assert_eq!(of_routes[999].tag, Tag::route("/r999"));
    // Besides these only what it was sent to, where no route speaks.
    assert_eq!(drops.len(), 1002, "{:?}", &drops[1000..]);
    assert!(drops.iter().all(|drop| drop.tag.as_str().len() < 100));
}

#[test]
fn a_write_that_nothing_is_said_of_drops_a_thousand_routes_in_one_tag() {
    let many = many("");
    let drops = sent("POST /import").invalidations(&many.routes);
    assert_eq!(drops[0].cause, Cause::Unlisted);
    assert_eq!(drops.iter().map(|drop| drop.scope).collect::<Vec<_>>(), [Scope::Unlisted, Scope::Path, Scope::Path]);
}

#[test]
fn a_long_path_is_cut_in_every_tag() {
    let tables = [route("/fruit/{id}", ""), write("PUT /shelf/{id}", "drops = [\"/fruit/{id}\", \"/plain/{id}\"]")];
    let app = app(&tables, "/fruit/1");
    let long = "%EF%B7%BA".repeat(900);
    let drops = sent(&format!("PUT /shelf/{long}")).invalidations(&app.routes);
    assert!(drops.iter().any(|drop| drop.tag == Tag::route("/fruit/{id}")));
    assert!(drops.iter().all(|drop| drop.tag.as_str().len() < 250), "{drops:?}");
}
