//! Which answers to a write count, in each of the ways in which a write drops something.

use super::{App, app, route, sent, write};

/// Every status that is told apart, and 0 for no answer.
const STATUSES: [u16; 21] =
    [0, 200, 201, 202, 204, 226, 300, 301, 302, 303, 304, 307, 308, 400, 401, 404, 409, 422, 500, 503, 504];

fn shop() -> App {
    let tables = [
        route("/silent/{id}", ""),
        route("/listed/{id}", "invalidated_by = [\"POST /listed\"]"),
        route("/around/{id}", "invalidated_by = \"path\""),
        route("/own/{id}", "invalidated_by = []"),
        write("POST /narrow", "drops = [\"/silent/1\"]"),
    ];
    app(&tables, "/silent/1 /silent/2 /listed/1 /listed/2 /around/1 /around/2 /own/1 /own/2 /plain/1 /plain")
}

#[test]
fn what_may_have_changed_something_drops_all_that_the_rules_say() {
    let shop = shop();
    for status in STATUSES {
        let counts = matches!(status, 0 | 200..=300 | 302..=304 | 500..);
        for (line, dropped) in [
            ("POST /other/thing/here", "/silent/1 /silent/2"),
            ("POST /listed", "/silent/1 /silent/2 /listed/1 /listed/2"),
            ("POST /around", "/silent/1 /silent/2 /around/1 /around/2"),
            ("POST /own", "/silent/1 /silent/2"),
            ("POST /narrow", "/silent/1"),
        ] {
            shop.assert(&sent(line).answered(status), if counts { dropped } else { "" });
        }
    }
}

#[test]
fn what_has_moved_for_good_drops_itself_alone() {
    let shop = shop();
    for line in ["/silent/1", "/listed/1", "/around/1", "/own/1"] {
        for status in STATUSES {
            let dropped = shop.dropped(&sent(&format!("POST {line}")).answered(status)).join(" ");
            match status {
                301 => assert_eq!(dropped, line),
                307 | 308 | 400..500 => assert_eq!(dropped, "", "{line} {status}"),
                _ => assert!(dropped.split(' ').any(|read| read == line), "{line} {status}: {dropped}"),
            }
        }
    }
    let tables = [route("/silent/{id}", ""), write("POST /silent/{id}", "drops = [\"/silent/2\"]")];
    app(&tables, "/silent/1 /silent/2").assert(&sent("POST /silent/1").answered(301), "/silent/1");
}

/// Source: RFC 9111 section 4.4: an answer that is no error.
#[test]
fn without_a_route_an_answer_that_is_no_error_counts() {
    for app in [app(&[], "/plain/1 /plain"), app(&[route("/own/{id}", "invalidated_by = []")], "/plain/1 /plain")] {
        for status in STATUSES {
            let dropped = if status < 400 { "/plain/1 /plain" } else { "" };
            app.assert(&sent("PUT /plain/1").answered(status), dropped);
        }
    }
}

#[test]
fn what_an_answer_names_counts_as_its_status_does() {
    let shop = shop();
    for status in STATUSES {
        let write = sent("POST /narrow").answered(status).answering("location", "/own/2");
        let named = matches!(status, 200..=300 | 302..=304 | 500..);
        assert_eq!(shop.dropped(&write).contains(&"/own/2"), named || status == 0, "{status}");
        let elsewhere = sent("POST /narrow").answered(status).answering("content-location", "/plain/1");
        let dropped = shop.dropped(&elsewhere);
        let expected = status < 400;
        assert_eq!(dropped.contains(&"/plain/1"), expected, "{status}");
        assert!(!dropped.contains(&"/plain"), "{status}");
    }
}
