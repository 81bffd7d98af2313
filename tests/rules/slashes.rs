//! A slash at the end of a path matters to nothing that a write drops.

use super::{app, route, sent, write};

/// A path with and without its slash.
fn both(path: &str) -> [String; 2] {
    [path.to_owned(), format!("{path}/")]
}

#[test]
fn rules_meet_writes_and_routes_with_and_without_it() {
    for (path, rule) in both("/fruit/{id}").iter().flat_map(|path| both("/shelf/{id}").map(|rule| (path, rule))) {
        let list = route(path, &format!("invalidated_by = [\"PUT {rule}\"]"));
        for request in both("PUT /shelf/1") {
            for target in both("/fruit/{id}") {
                let narrowed = [route(path, ""), write(&format!("PUT {rule}"), &format!("drops = [\"{target}\"]"))];
                for tables in [&narrowed[..], std::slice::from_ref(&list)] {
                    let [one, other] = [1, 2].map(|id| path.replace("{id}", &id.to_string()));
                    let app = app(tables, &format!("{one} {other}"));
                    app.assert(&sent(&request), &one);
                }
            }
        }
    }
}

#[test]
fn a_write_to_the_path_itself_and_around_it() {
    for path in both("/fruit/{id}") {
        let [one, other] = [1, 2].map(|id| path.replace("{id}", &id.to_string()));
        let reads = format!("{one} {other}");
        for invalidated_by in ["[]", "\"path\"", "[\"POST /other\"]"] {
            let app = app(&[route(&path, &format!("invalidated_by = {invalidated_by}"))], &reads);
            for request in both("PUT /fruit/1") {
                app.assert(&sent(&request), &one);
                app.assert(&sent(&request).answered(301), &one);
            }
            for request in both("POST /fruit") {
                app.assert(&sent(&request), if invalidated_by == "\"path\"" { &reads } else { "" });
            }
            for named in both("/fruit/1") {
                app.assert(&sent("POST /x/y/z").answering("location", &named), &one);
            }
        }
    }
}

#[test]
fn a_list_above_a_write_below() {
    for path in both("/fruit") {
        let app = app(&[route(&path, "invalidated_by = \"path\"")], &path);
        for request in both("PUT /fruit/1").iter().chain(&both("POST /fruit")) {
            app.assert(&sent(request), &path);
        }
    }
}

#[test]
fn what_no_route_has() {
    for read in both("/plain/1") {
        let app = app(&[], &read);
        for request in both("PUT /plain/1").iter().chain(&both("POST /plain/1/x")) {
            app.assert(&sent(request), &read);
        }
    }
}

#[test]
fn write_policies() {
    for (path, rule) in both("/fruit/{id}").iter().flat_map(|path| both("/fruit").map(|rule| (path, rule))) {
        let [one, other] = [1, 2].map(|id| path.replace("{id}", &id.to_string()));
        let policy = format!("[route.write]\nrequest = \"POST {rule}\"\npolicy = \"through\"");
        let app = app(&[route(path, &policy)], &format!("{one} {other}"));
        for request in both("POST /fruit") {
            app.assert(&sent(&request).json(r#"{"id": 1}"#), &one);
        }
    }
}

#[test]
fn the_root() {
    let app = app(&[route("/", "invalidated_by = []"), route("/{*rest}", "invalidated_by = []")], "/ /a");
    app.assert(&sent("POST /"), "/");
    app.assert(&sent("POST /a/"), "/a");
}

#[test]
fn destinations_and_refusals() {
    let fruit = app(&[route("/fruit/{id}", "invalidated_by = []")], "/fruit/1");
    for target in both("/fruit/1") {
        fruit.assert(&sent("COPY /x").with("destination", &target), "/fruit/1");
    }
    for (login, location) in both("/login").iter().flat_map(|login| both("/login").map(|to| (login, to))) {
        let refused = format!("refused = {{ status = 302, location = \"{login}\" }}");
        let fruit = app(&[route("/fruit/{id}", ""), write("POST /fruit", &refused)], "/fruit/1");
        fruit.assert(&sent("POST /fruit").answered(302).answering("location", &location), "");
    }
}
