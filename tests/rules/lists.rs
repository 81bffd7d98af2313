//! `invalidated_by`: a route that says itself which writes drop it.

use super::{App, app, route, sent, write};

/// A route that is dropped by these.
fn orders(invalidated_by: &str) -> App {
    let route = route("/orders/{page}", &format!("query = [\"lang\"]\ninvalidated_by = {invalidated_by}"));
    app(&[route], "/orders/1?lang=en /orders/2?lang=en /orders/2?lang=es")
}

const SECOND: &str = "/orders/2?lang=en /orders/2?lang=es";
const EVERY: &str = "/orders/1?lang=en /orders/2?lang=en /orders/2?lang=es";

#[test]
fn its_own_list_decides_and_a_write_to_its_path_counts() {
    orders("[\"POST /orders\", \"PUT /shelf/{page}\"]").assert_each(&[
        (sent("POST /orders"), EVERY),
        (sent("POST /orders?page=1"), EVERY),
        (sent("POST //orders/"), EVERY),
        (sent("PUT /shelf/2"), EVERY),
        (sent("PUT /shelf/2?lang=es"), "/orders/2?lang=es"),
        (sent("PUT /orders/2"), SECOND),
        (sent("DELETE /Orders/2/"), SECOND),
        (sent("POST /orders/2?lang=es"), SECOND),
        (sent("PUT /orders"), ""),
        (sent("POST /anything"), ""),
        (sent("POST /orders/2/lines"), ""),
    ]);
}

/// What a rule says of a write to the path itself is the last word on it.
#[test]
fn its_path_does_not_count_where_a_rule_has_spoken_of_it() {
    let rule = "[{ request = \"PUT /orders/{page}\", when = { status = 201 } }]";
    orders(rule).assert_each(&[
        (sent("PUT /orders/2").answered(201), EVERY),
        (sent("PUT /orders/2").answered(200), ""),
        (sent("PUT /orders/2?lang=es").answered(201), "/orders/2?lang=es"),
        (sent("DELETE /orders/2").answered(200), SECOND),
    ]);
}

/// What may be of another method is a write to the path as well, whoever has spoken of the other.
#[test]
fn its_path_counts_where_only_another_method_was_spoken_of() {
    let rule = "[{ request = \"DELETE /orders/{page}\", when = { status = 204 } }]";
    orders(rule).assert_each(&[
        (sent("DELETE /orders/2"), ""),
        (sent("POST /orders/2").with("x-http-method-override", "DELETE"), SECOND),
        (sent("POST /orders/2?_method=DELETE"), SECOND),
        (sent("POST /orders/2").unread("application/x-www-form-urlencoded"), SECOND),
        (sent("POST /orders/2").json("[1"), SECOND),
    ]);
}

#[test]
fn around_its_path() {
    let tables = [
        route("/shops/{id}/orders/{page}", "name = \"orders\"\ninvalidated_by = \"path\""),
        route("/shops/{id}", "name = \"shop\"\ninvalidated_by = \"path\""),
        route("/shops", "name = \"shops\"\ninvalidated_by = \"path\""),
    ];
    let app = app(&tables, "/shops /shops?a=b /shops/1 /shops/2 /shops/1/orders/1 /shops/2/orders/1");
    let (all, below) = ("/shops /shops?a=b", "/shops/1/orders/1 /shops/2/orders/1");
    app.assert_each(&[
        (sent("POST /shops"), &format!("{all} /shops/1 /shops/2 {below}")),
        (sent("PUT /shops/1"), &format!("{all} /shops/1 {below}")),
        (sent("PUT /SHOPS/1/"), &format!("{all} /shops/1 {below}")),
        (sent("POST /shops/1/orders"), &format!("/shops/1 {below}")),
        (sent("PUT /shops/1/orders/1"), "/shops/1/orders/1"),
        (sent("PUT /shops/1/orders/1/lines"), "/shops/1/orders/1"),
        (sent("POST /"), &format!("{all} /shops/1 /shops/2 {below}")),
        (sent("POST /fruit"), ""),
    ]);
}

#[test]
fn by_nothing_but_a_write_to_it() {
    orders("[]").assert_each(&[
        (sent("PUT /orders/2"), SECOND),
        (sent("LOCK /orders/2/"), SECOND),
        (sent("POST /orders"), ""),
        (sent("POST /orders/2/lines"), ""),
        (sent("POST /x").answering("location", "/orders/2"), SECOND),
    ]);
}

/// A `[[write]]` is for the routes that say nothing.
#[test]
fn a_route_with_a_list_is_no_concern_of_a_write_but_for_what_that_names() {
    let tables = [
        route("/listed/{id}", "invalidated_by = [\"POST /listed\"]"),
        route("/silent/{id}", ""),
        write("POST /listed", "drops = []"),
        write("POST /both", "drops = [\"/listed/{id}\", \"/silent/{id}\"]"),
    ];
    let app = app(&tables, "/listed/1 /listed/2 /silent/1 /silent/2");
    app.assert_each(&[
        (sent("POST /listed"), "/listed/1 /listed/2"),
        (sent("POST /both?id=2"), "/listed/2 /silent/2"),
        (sent("POST /other"), "/silent/1 /silent/2"),
    ]);
}
