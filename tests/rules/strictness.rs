//! A `[[write]]` speaks of a write only where every origin takes it for the one that is described.

use super::{App, Sent, app, route, sent, write};

/// One whose writes change nothing, but for what it was sent to.
fn quiet() -> App {
    let tables = [
        route("/fruit/{id}", ""),
        write("POST /beacon/{x}", "drops = []"),
        write("PUT /fruit/{id}", "drops = []"),
        write("* /any/{*path}", "drops = []"),
    ];
    app(&tables, "/fruit/1 /fruit/2")
}

#[test]
fn what_is_described_is_recognized() {
    let quiet = quiet();
    for write in [
        sent("POST /beacon/1"),
        sent("POST /beacon/1/"),
        sent("POST /beacon/a%20b"),
        sent("POST /beacon/1?x=%2F&a;b"),
        sent("POST /beacon/1").json("{}"),
        sent("POST /beacon/1").of_type("application/x-www-form-urlencoded", "a=b&method=PUT"),
        sent("POST /beacon/1").of_type("multipart/form-data; boundary=x", "--x\r\n\r\n--x--"),
        sent("POST /beacon/1").of_type("application/octet-stream", "_method=PUT"),
        sent("POST /beacon/1").unread("application/octet-stream"),
        sent("PATCH /any/a/b"),
        sent("FROBNICATE /any/a"),
    ] {
        quiet.assert(&write, "");
    }
    // The digits of an octet are the same in either case.
    for line in ["POST /beacon/%E4%B8%80", "POST /beacon/%e4%b8%80"] {
        quiet.assert(&sent(line), "");
    }
    quiet.assert(&sent("PUT /fruit/2/"), "/fruit/2");
}

#[test]
fn an_odd_path_is_none_that_is_described() {
    let quiet = quiet();
    for line in [
        "POST /Beacon/1",
        "POST //beacon/1",
        "POST /beacon//1",
        "POST /beacon/1//",
        "POST /beacon%2F1",
        "POST /beacon/1%2F",
        "POST /beacon/1;a",
        "POST /beacon/1%3Ba",
        "POST /beacon/./1",
        "POST /x/../beacon/1",
        "POST /beacon/%31",
        "POST /%62eacon/1",
        "POST /beacon/%2e",
        "POST /beacon/a%252Fb",
        "POST /beacon/1%00",
        "POST /beacon\\1",
        "POST /beacon/%6a",
        "POST /beacon/%FF",
        "POST /beacon/1/2",
        "POST /beacon",
        "Post /beacon/1",
        "PUT /beacon/1",
        "PATCH /any/a//b",
        "PATCH /any/a%2Fb",
    ] {
        quiet.assert(&sent(line), "/fruit/1 /fruit/2");
    }
}

#[test]
fn one_that_may_be_of_another_method_is_none_that_is_described() {
    let form = "application/x-www-form-urlencoded";
    let multipart = "multipart/form-data; boundary=x";
    let part = "--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nPUT\r\n--x--";
    let extended = "--x\r\nContent-Disposition: form-data; name*=utf-8''%5Fmethod\r\n\r\nPUT\r\n--x--";
    let post = || sent("POST /beacon/1");
    let overridden: &[(&str, Sent)] = &[
        ("a field", post().with("x-http-method-override", "PUT")),
        ("the same method", post().with("x-http-method-override", "POST")),
        ("another field", post().with("x-http-method", "PUT")),
        ("a third", post().with("x-method-override", "PUT")),
        ("a field with something else", post().with("x-method-override", "a b")),
        ("of another write", sent("PATCH /any/a").with("x-http-method-override", "PUT")),
        ("the query", sent("POST /beacon/1?_method=PUT")),
        ("the query of any write", sent("PUT /any/a?_method=DELETE")),
        ("the query, spelt", sent("POST /beacon/1?a=b&%5Fmethod=put")),
        ("a form", post().of_type(form, "a=b&_method=PUT")),
        ("a form, spelt", post().of_type(form, "a=b&%5F%6Dethod=PUT")),
        ("a form that does not say so", post().untyped("_method=PUT")),
        ("a form in no UTF-8", post().of_type(form, b"a=\xff")),
        ("a member", post().json(r#"{"_method": "PUT"}"#)),
        ("a member that is no text", post().json(r#"{"_method": ["PUT"]}"#)),
        ("JSON that is not understood", post().json(r#"{"a": 1, "a": 2}"#)),
        ("JSON by another name", post().of_type("text/json", r#"{"_method": "PUT"}"#)),
        ("a part", post().of_type(multipart, part)),
        ("a part, spelt", post().of_type(multipart, extended)),
        ("a coded body", post().with("content-encoding", "gzip").of_type(form, "x")),
        ("an unread form", post().unread(form)),
        ("unread JSON", post().unread("application/json")),
        ("an unread upload", post().unread(multipart)),
        ("two types", post().of_type("text/plain", "_method=PUT").with("content-type", form)),
        ("two types in a line", post().of_type(&format!("text/plain, {form}"), "_method=PUT")),
    ];
    for (what, write) in overridden {
        let quiet = quiet();
        assert_eq!(quiet.dropped(write), ["/fruit/1", "/fruit/2"], "{what}");
    }
}

/// A rule of a route is met by the method that a write names, and by that of its request line.
#[test]
fn a_list_counts_every_method_that_it_may_be() {
    let fruit = app(&[route("/fruit/{id}", "invalidated_by = [\"DELETE /shelf/{id}\"]")], "/fruit/1 /fruit/2");
    fruit.assert_each(&[
        (sent("POST /shelf/1"), ""),
        (sent("DELETE /shelf/1"), "/fruit/1"),
        (sent("delete /shelf/1"), "/fruit/1"),
        (sent("POST /shelf/1").with("x-http-method-override", "DELETE"), "/fruit/1"),
        (sent("DELETE /shelf/1").with("x-http-method-override", "PUT"), "/fruit/1"),
        (sent("POST /shelf/1?_method=delete"), "/fruit/1"),
        (sent("POST /shelf/2").unread("application/x-www-form-urlencoded"), "/fruit/2"),
        (sent("POST /shelf/2").with("x-http-method-override", "PUT"), ""),
    ]);
}
