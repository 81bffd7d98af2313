//! `when`: what must hold for a write to have changed anything. What nobody knows counts as met.

use serde_json::json;

use super::{ALL, App, app, route, sent, write};

/// One `[[write]]` with a condition, and one route with the same in its list.
fn conditional(when: &str) -> App {
    let tables = [
        route("/fruit/{id}", ""),
        route("/orders/{page}", &format!("invalidated_by = [{{ request = \"POST /fruit\", when = {when} }}]")),
        write("POST /fruit", &format!("drops = [\"/fruit/1\"]\nwhen = {when}")),
    ];
    app(&tables, "/fruit/1 /fruit/2 /orders/1")
}

const MET: &str = "/fruit/1 /orders/1";

#[test]
fn by_status() {
    let created = conditional("{ status = 201 }");
    let listed = conditional("{ status = [200, 201, 303, 500] }");
    for (status, one, other) in [
        (200, "", MET),
        (201, MET, MET),
        (204, "", ""),
        (302, "", ""),
        (303, "", MET),
        // Refused, or not carried out, whatever a file says.
        (307, "", ""),
        (404, "", ""),
        (422, "", ""),
        // It may have committed and then failed, unless the file has an opinion of that.
        (500, MET, MET),
        (503, MET, ""),
        (0, MET, MET),
    ] {
        created.assert(&sent("POST /fruit").answered(status), one);
        listed.assert(&sent("POST /fruit").answered(status), other);
    }
}

#[test]
fn by_what_the_answer_says() {
    conditional("{ \"response.result\" = \"Ok\" }").assert_each(&[
        (sent("POST /fruit").saying(json!({"result": "Ok"})), MET),
        (sent("POST /fruit").saying(json!({"result": "Failed"})), ""),
        (sent("POST /fruit").saying(json!({})), ""),
        (sent("POST /fruit").saying(json!([1])), ""),
        (sent("POST /fruit"), MET),
        (sent("POST /fruit").answered(500), MET),
        (sent("POST /fruit").answered(0), MET),
        (sent("POST /fruit").answered(404).saying(json!({"result": "Ok"})), ""),
    ]);
}

#[test]
fn by_what_the_request_says() {
    conditional("{ \"body.kind\" = 1 }").assert_each(&[
        (sent("POST /fruit").json(r#"{"kind": 1}"#), MET),
        (sent("POST /fruit").json(r#"{"kind": 1.0}"#), MET),
        (sent("POST /fruit").json(r#"{"kind": 2}"#), ""),
        (sent("POST /fruit").json(r#"{"kind": "1"}"#), ""),
        (sent("POST /fruit").json("{}"), ""),
        (sent("POST /fruit"), ""),
        // Nobody here knows what the origin reads in these.
        (sent("POST /fruit").of_type("text/plain", r#"{"kind": 2}"#), MET),
        // And of these not even which method it is to the origin.
        (sent("POST /fruit").of_type("application/json; charset=utf-16", r#"{"kind": 2}"#), ALL),
        (sent("POST /fruit").unread("application/octet-stream"), MET),
    ]);
}

#[test]
fn all_of_them_must_hold() {
    conditional("{ status = 201, \"response.id\" = 7 }").assert_each(&[
        (sent("POST /fruit").answered(201).saying(json!({"id": 7})), MET),
        (sent("POST /fruit").answered(200).saying(json!({"id": 7})), ""),
        (sent("POST /fruit").answered(201).saying(json!({"id": 8})), ""),
        (sent("POST /fruit").answered(201), MET),
    ]);
}

/// Without `drops` it says when a write counts, and nothing of what it drops.
#[test]
fn without_drops_a_write_that_counts_drops_every_route() {
    let tables = [route("/fruit/{id}", ""), write("* /{*any}", "when = { status = [201] }")];
    let app = app(&tables, "/fruit/1 /fruit/2");
    app.assert_each(&[
        (sent("POST /fruit").answered(201), ALL),
        (sent("POST /fruit").answered(200), ""),
        (sent("PUT /fruit/2").answered(200), "/fruit/2"),
        (sent("POST /fruit").answered(500), ALL),
        (sent("POST /fruit").answered(0), ALL),
        // It speaks of no odd path.
        (sent("POST //fruit").answered(200), ALL),
    ]);
}

/// What one of them does not count another may.
#[test]
fn each_has_conditions_of_its_own() {
    let tables = [
        route("/fruit/{id}", ""),
        write("POST /{*any}", "drops = [\"/fruit/1\"]\nwhen = { status = 201 }"),
        write("POST /fruit", "drops = [\"/fruit/2\"]\nwhen = { status = [200, 201] }"),
        write("* /fruit", "when = { status = 299 }"),
    ];
    let app = app(&tables, "/fruit/1 /fruit/2 /fruit/3");
    app.assert_each(&[
        (sent("POST /fruit").answered(201), "/fruit/1 /fruit/2"),
        (sent("POST /fruit").answered(200), "/fruit/2"),
        (sent("POST /fruit").answered(204), ""),
        (sent("POST /other").answered(200), ""),
    ]);
}
