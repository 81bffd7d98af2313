//! What a file says of writes: `[[write]]`, the forms of `invalidated_by`, and whose writes go to the cache alone.

use aside::config::Config;
use aside::rules::{
    CacheBy, Cause, Condition, Document, Drops, InvalidatedBy, Overriding, Pointer, Scope, Speaking, Subject, Write,
    WriteAnswer, credential_hash,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::json;

use super::{assert_bad, good, read};

const ROUTES: &str = "origin = \"http://a\"\n[[route]]\npath = \"/articles/{slug}\"\nttl = \"1h\"\n[[route]]\npath = \
                      \"/profiles/{name}\"\nname = \"profiles\"\nttl = \"1h\"\n";

/// Two routes and a `[[write]]` with these lines.
fn in_write(lines: &str) -> String {
    format!("{ROUTES}[[write]]\n{lines}\n")
}

/// The same for one write that says what it drops.
fn dropping(drops: &str) -> String {
    in_write(&format!("request = \"POST /articles/{{slug}}/favorite\"\ndrops = {drops}"))
}

/// The same for one that says something else.
fn saying(line: &str) -> String {
    in_write(&format!("request = \"POST /login\"\ndrops = []\n{line}"))
}

/// A route whose writes go to the cache, with these lines about whose.
fn in_policy(lines: &str) -> String {
    format!(
        "origin = \"http://a\"\n[[route]]\npath = \"/orders/{{id}}\"\nttl = \"1h\"\n[route.write]\nrequest = \"POST \
         /orders\"\npolicy = \"cache\"\nentry = '{{\"o\": {{body}}}}'\nreply = {{ status = 201, json = '{{}}' }}\n{lines}\n"
    )
}

/// What a good file is told besides, all of it of one severity.
fn remarks(text: &str, severity: &str) -> Vec<String> {
    let report = good(text).remarks;
    report
        .iter()
        .map(|(finding, place)| {
            assert_eq!(finding.severity().as_str(), severity, "{}", finding.message());
            let place = place.unwrap();
            format!("{}:{}: {}; {}", place.line, place.column, finding.message(), finding.help())
        })
        .collect()
}

/// A good file is told one thing, at the `«`, with this in it.
fn assert_remark(marked: &str, severity: &str, part: &str) {
    let before = marked.split('«').next().unwrap();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let told = remarks(&marked.replace('«', ""), severity);
    assert!(told.len() == 1 && told[0].starts_with(&format!("{line}:{column}: ")), "not at {line}:{column}: {told:?}");
    assert!(told[0].contains(part), "no {part:?}: {told:?}");
}

#[test]
fn which_writes_it_speaks_of() {
    for (text, help) in [
        (format!("{ROUTES}«[[write]]\ndrops = []\n"), "add request = \"POST /login\""),
        (format!("{ROUTES}«[[write]]\nrequest = []\ndrops = []\n"), "add request = \"POST /login\""),
        (in_write("request = «1\ndrops = []"), "write \"…\" or"),
        (in_write("request = [\"POST /a\", «1]\ndrops = []"), "in quotes"),
        (in_write("request = [\"POST /a\", «\"POST /a\"]\ndrops = []"), "delete one of the two"),
        (in_write("request = \"«POST\"\ndrops = []"), "write a method and a path"),
        (in_write("request = \"«\"\ndrops = []"), "write a method and a path"),
        (in_write("request = \"«post /a\"\ndrops = []"), "write a method and a path"),
        (in_write("request = \"«GET /a\"\ndrops = []"), "name a POST, PUT, PATCH or DELETE"),
        (in_write("request = \"«QUERY /a\"\ndrops = []"), "name a POST, PUT, PATCH or DELETE"),
        (in_write("request = \"«ANY /a\"\ndrops = []"), "write `*`"),
        (in_write("request = \"«ALL /a\"\ndrops = []"), "write `*`"),
        (in_write("request = \"«PSOT /a\"\ndrops = []"), "write `POST`"),
        (in_write("request = \"«DELTE /a\"\ndrops = []"), "write `DELETE`"),
        (in_write("request = [\"POST /a\", \"«FROBNICATE /a\"]\ndrops = []"), "write `*`"),
        (in_write("request = \"POST «a\"\ndrops = []"), "a method and a path"),
        (in_write("request = \"POST /«{a\"\ndrops = []"), "a method and a path"),
        (
            in_write("request = \"POST /a\"\ndrops = []\nrequest = \"POST /b\"")
                .replace("\nrequest = \"POST /b\"", "\n«request = \"POST /b\""),
            "delete one of the two",
        ),
    ] {
        assert_bad(&text, help);
    }
    // The same wherever writes are named.
    for method in ["ANY", "ALL", "PSOT"] {
        let listed = format!(
            "origin = \"http://a\"\n[[route]]\npath = \"/a\"\nttl = \"1h\"\ninvalidated_by = [\"«{method} /a\"]\n"
        );
        assert_bad(&listed, if method == "PSOT" { "write `POST`" } else { "write `*`" });
        assert_bad(&in_policy("cache_by = \"anyone\"").replace("\"POST ", &format!("\"«{method} ")), "write `");
    }
}

#[test]
fn its_table() {
    for (text, help) in [
        (format!("{ROUTES}«[write]\nrequest = \"POST /a\"\ndrops = []\n"), "write [[write]]"),
        (format!("{ROUTES}[[«writes]]\nrequest = \"POST /a\"\n"), "[[write]]"),
        (in_write("request = \"POST /a\"\n«drop = []"), "write"),
        (in_write("request = \"POST /a\"\ndrops = []\n«policy = \"through\""), "[route.write]"),
        (in_write("request = \"POST /a\"\n«invalidated_by = []"), "[[route]]"),
        (in_write("request = \"POST /a\"\n«ttl = \"1h\""), "[[route]]"),
        (format!("{ROUTES}«drops = []\n"), "[[write]]"),
        (format!("{ROUTES}«refused = {{ status = 302 }}\n"), "[[write]]"),
        ("origin = \"http://a\"\nwrite = «1\n".to_owned(), "in brackets"),
    ] {
        assert_bad(&text, help);
    }
}

#[test]
fn what_it_drops() {
    for (drops, help) in [
        ("[«\"articles\"]", "\"tag:name\" or \"route:name\""),
        ("[«\"\"]", "\"tag:name\" or \"route:name\""),
        ("[«\"tag:\"]", "\"tag:name\" or \"route:name\""),
        ("[«\"*\"]", "\"tag:name\" or \"route:name\""),
        ("[«1]", "in quotes"),
        ("«\"/articles\"", "[\"/articles\"]"),
        ("«true", "in brackets"),
        ("[«\"route:profile\"]", "write \"route:profiles\""),
        ("[«\"route:\"]", "the routes are `/articles/{slug}` and `profiles`"),
        ("[«\"route:nothing_like_it\"]", "the routes are `/articles/{slug}` and `profiles`"),
        ("[\"/articles/«{slug\"]", "\"/articles/{slug}\""),
        ("[\"/articles/{slug}«{name}\"]", "{a}-{b}"),
        ("[\"/articles/{«a b}\"]", ""),
        ("[\"«/articles/{slug}-{name}\"]", "a segment can have one variable only"),
        ("[\"«/articles//x\"]", "\"/articles/{slug}\""),
        ("[\"«/articles?page=1\"]", "no query"),
        ("[\"/articles/{«body:slug}\"]", "{body:/order/id}"),
        ("[\"/articles/{«bdy:/slug}\"]", "`body:` or `response:`"),
        ("[\"/articles/{«body:/*/slug}\"]", "{body:/items/0/id}"),
        ("[\"/articles/{«response:/articles/*}\"]", "{body:/items/0/id}"),
        ("[\"tag:a« b\"]", ""),
        ("[\"tag:a:«{b\"]", "\"fruit:{id}\""),
        ("[\"tag:a:{«body:/*}\"]", "{body:/items/0/id}"),
        ("[\"/articles\", \"tag:a:{«nothing:/a}\"]", "`body:` or `response:`"),
    ] {
        // A list of articles without a route is what a warning is for, not an error.
        assert_bad_at_least(&dropping(drops), help);
    }
    assert_bad(
        "origin = \"http://a\"\n[[write]]\nrequest = \"POST /a\"\ndrops = [«\"route:a\"]\n",
        "there is no [[route]]",
    );
}

/// As [`assert_bad`], where warnings may stand beside the one error.
fn assert_bad_at_least(marked: &str, help: &str) {
    let error = read(&marked.replace('«', "")).unwrap_err();
    let findings: Vec<_> =
        error.report().iter().filter(|(finding, _)| finding.severity().as_str() == "error").collect();
    let before = marked.split('«').next().unwrap();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let place = findings[0].1.map(|place| (place.line, place.column));
    assert!(findings.len() == 1 && place == Some((line, column)), "not one at {line}:{column}:\n{error}");
    let told = format!("{} {}", findings[0].0.message(), findings[0].0.help());
    assert!(told.contains(help), "no {help:?}:\n{error}");
}

#[test]
fn what_an_answer_must_say() {
    for (line, help) in [
        ("refused = «{}", "add status = [302]"),
        ("refused = «{ location = \"/login\" }", "add status = [302]"),
        ("refused = «302", "refused = { status = [302]"),
        ("refused = { status = «99 }", "status = [201]"),
        ("refused = { status = «[200, 600] }", "status = [201]"),
        ("refused = { status = «[] }", "status = [201]"),
        ("refused = { status = «\"302\" }", "status = [201]"),
        ("refused = { status = «302.5 }", "status = [201]"),
        ("refused = { status = «true }", "status = [201]"),
        ("refused = { status = 302, location = \"«login\" }", "a path must begin with `/`"),
        ("refused = { status = 302, location = \"«https://a/login\" }", "a path must begin with `/`"),
        ("refused = { status = 302, location = \"/login«?next=/\" }", ""),
        ("refused = { status = 302, location = \"/«{login\" }", "location = \"/login\""),
        ("refused = { status = 302, location = «1 }", "in quotes"),
        ("refused = { «code = 302 }", ""),
        ("when = { «status = 99 }", "status = [201]"),
        ("when = { «status = [] }", "status = [201]"),
        ("when = { «status = \"ok\" }", "status = [201]"),
        ("when = { «result = 1 }", "\"response.result\""),
        ("when = { «\"request.a\" = 1 }", "\"body.a\""),
        ("when = { «\"response.items.*.id\" = 1 }", "name one place"),
        ("when = { «\"body:/items/*\" = 1 }", "name one place"),
        ("when = «1", "{ name = \"value\" }"),
    ] {
        assert_bad_at_least(&saying(line), help);
    }
}

#[test]
fn pointers_to_many_places() {
    let rule = |rule: &str| {
        format!("origin = \"http://a\"\n[[route]]\npath = \"/a/{{id}}\"\nttl = \"1h\"\ninvalidated_by = [{rule}]\n")
    };
    for text in [
        "{ request = \"PUT /a\", when = { «\"body.items.*\" = 1 } }",
        "{ request = \"PUT /a\", variables = { id = \"{«body:/items/*/id}\" } }",
        "{ request = \"PUT /a\", variables = { id = \"{«response:/*}\" } }",
        "{ request = \"PUT /a\", tags = [\"a:{«body:/*}\"] }",
    ] {
        assert_bad(&rule(text), "name one place");
    }
    assert_bad(&rule("").replace("[]", "[]\ntags = [\"a:{«response:/items/*/id}\"]"), "name one place");
    good(&rule("{ request = \"PUT /a\", when = { \"body.a*b\" = 1 } }"));
}

#[test]
fn what_takes_the_place_of_a_list() {
    let route = |line: &str| format!("origin = \"http://a\"\n[[route]]\npath = \"/a/{{id}}\"\nttl = \"1h\"\n{line}\n");
    for (line, help) in [
        ("invalidated_by = «\"PUT /a\"", "write [\"PUT /a\"]"),
        ("invalidated_by = «\"paths\"", "\"path\" for writes to the paths around"),
        ("invalidated_by = «\"every\"", "without `invalidated_by` every write drops the route"),
        ("invalidated_by = «\"\"", "\"path\" for writes"),
        ("invalidated_by = «true", "in brackets"),
        ("«group = \"shop\"", "delete it: a write drops whatever it may have changed"),
        ("«groups = [\"shop\"]", "delete it: a write drops whatever it may have changed"),
    ] {
        assert_bad(&route(line), help);
    }
}

#[test]
fn whose_writes_go_to_the_cache() {
    for (text, help) in [
        (in_policy("").replace("[route.write]", "«[route.write]"), "add cache_by = \"anyone\""),
        (in_policy("cache_by = «\"everyone\""), "write cache_by = \"anyone\""),
        (in_policy("cache_by = «\"\""), "write cache_by = \"anyone\""),
        (in_policy("cache_by = «true"), "\"anyone\", or a table"),
        (in_policy("cache_by = «[\"anyone\"]"), "\"anyone\", or a table"),
        (in_policy("cache_by = «{}"), "value = \"Bearer ${CACHE_TOKEN}\""),
        (in_policy("cache_by = «{ field = \"Authorization\" }"), "value = \"Bearer ${CACHE_TOKEN}\""),
        (in_policy("cache_by = «{ value = \"x\" }"), "field = \"Authorization\""),
        (in_policy("cache_by = { field = \"X-Token\", value = «\"\" }"), "value = \"Bearer"),
        (in_policy("cache_by = { field = \"X-Token\", value = «\"  \" }"), "value = \"Bearer"),
        (in_policy("cache_by = { field = «\"X Token\", value = \"x\" }"), "field = \"Authorization\""),
        (in_policy("cache_by = { field = «\"\", value = \"x\" }"), "field = \"Authorization\""),
        (in_policy("cache_by = { field = \"X-Token\", value = «12345678 }"), "in quotes"),
        (in_policy("cache_by = { field = \"X-Token\", «valeu = \"x\" }"), "write `value`"),
        (in_policy("cache_by = { field = \"X-Token\", value = \"«${NOT_SET}\" }"), "set NOT_SET"),
    ] {
        assert_bad(&text, help);
    }
}

#[test]
fn what_narrows_nothing_is_told() {
    let listed = ROUTES.replace("ttl", "invalidated_by = []\nttl");
    for (text, part) in [
        (format!("{ROUTES}«[[write]]\nrequest = \"POST /a\"\n"), "add drops = []"),
        (
            format!("{listed}«[[write]]\nrequest = \"POST /a\"\ndrops = []\n"),
            "every route has its own `invalidated_by`",
        ),
        (dropping("[«\"/article/x\"]"), "write the path of a [[route]]"),
        (dropping("[\"/articles/{slug}\", «\"/articles\"]"), "no route matches `/articles`"),
        (
            in_write("request = \"POST /a\"\ndrops = []\n[[write]]\nrequest = [\"POST /b\", «\"POST /a\"]\ndrops = []"),
            "merge the two",
        ),
    ] {
        assert_remark(&text, "warning", part);
    }
    assert_remark(&dropping("[«\"/profiles/{name}\"]"), "note", "put it in the path, or write {body:/place}");
    assert_remark(&dropping("[«\"/profiles/{slug}\"]"), "note", "the same name is taken for the same thing");
    assert_remark(&dropping("[«\"tag:profile:{name}\"]"), "note", "if it is not found");
    let unused = in_policy("cache_by = «\"anyone\"").replace("policy = \"cache\"", "policy = \"through\"");
    let told = remarks(&unused.replace('«', ""), "warning");
    assert!(told.iter().any(|told| told.contains("no write goes to the cache only; delete it")), "{told:?}");
    assert!(told.iter().any(|told| told.starts_with("10:12: ")), "{told:?}");
    for quiet in [
        dropping("[\"/articles/{slug}/\", \"/profiles/{body:/name}\", \"/profiles/x\", \"route:profiles\"]"),
        saying("refused = { status = 302 }"),
        in_write("request = [\"POST /a\", \"PUT /a\"]\nwhen = { status = [201, 303] }"),
        in_write("request = \"* /{*any}\"\nrefused = { status = [302], location = \"/login\" }"),
        // Without a route a path is one that the origin itself calls fresh.
        "origin = \"http://a\"\n[[write]]\nrequest = \"POST /a\"\ndrops = [\"/b\"]\n".to_owned(),
    ] {
        assert_eq!(remarks(&quiet, "nothing"), Vec::<String>::new(), "{quiet}");
    }
}

/// What a config makes of a write that is answered 201.
fn drops(config: &Config, method: &Method, path: &str) -> Vec<(Scope, Cause)> {
    let write = Write {
        method,
        overriding: &Overriding::default(),
        path,
        paths: &[path.to_owned()],
        query: "",
        body: Document::Absent,
        answer: WriteAnswer { status: Some(StatusCode::CREATED), ..WriteAnswer::default() },
    };
    config.proxy.rules.routes.invalidations(&write).into_iter().map(|drop| (drop.scope, drop.cause)).collect()
}

#[test]
fn a_write_is_read_as_it_is_meant() {
    let config = good(&in_write(
        "request = [\"POST /articles/{slug}/favorite\", \"DELETE /articles/{slug}/favorite\"]\ndrops = [\n  \
         \"/articles/{slug}\", \"tag:by:{response:/author/name}\", \"route:profiles\",\n]\nrefused = { status = [302, 303], \
         location = \"/login/{*next}\" }\nwhen = { status = 201, \"response.ok\" = true }",
    ));
    for method in [Method::POST, Method::DELETE] {
        let overriding = Overriding::default();
        let write = Write {
            method: &method,
            overriding: &overriding,
            path: "/articles/a/favorite",
            paths: &[],
            query: "",
            body: Document::Absent,
            answer: WriteAnswer::default(),
        };
        let [Speaking { rule, request, captures, .. }] =
            &config.proxy.rules.routes.speaking(&write).collect::<Vec<_>>()[..]
        else {
            panic!("not one rule")
        };
        assert_eq!(
            (request.as_str(), captures.get("slug")),
            (rule.requests[usize::from(method != "POST")].as_str(), Some("a"))
        );
        let [Drops::Path(path), Drops::Tag(tag), Drops::Route(route)] = rule.drops.as_deref().unwrap() else {
            panic!("{:?}", rule.drops)
        };
        assert_eq!(
            (path.as_str(), tag.as_str(), &**route),
            ("/articles/{slug}", "by:{response:/author/name}", "profiles")
        );
        let refused = rule.refused.as_ref().unwrap();
        assert_eq!(refused.statuses, [StatusCode::FOUND, StatusCode::SEE_OTHER]);
        assert_eq!(refused.location.as_ref().unwrap().as_str(), "/login/{*next}");
        let ok = Condition::Says {
            subject: Subject::Response,
            pointer: Pointer::parse("/ok").unwrap(),
            equals: json!(true),
        };
        assert!(rule.when.len() == 2 && rule.when.contains(&Condition::Status(vec![StatusCode::CREATED])));
        assert!(rule.when.contains(&ok));
    }
    let config = good(&in_write("request = \"POST /login\"\ndrops = []"));
    assert_eq!(drops(&config, &Method::POST, "/login/"), drops(&good(ROUTES), &Method::POST, "/login/")[1..]);
}

#[test]
fn what_drops_a_route_is_read_as_it_is_meant() {
    let meant = |line: &str| {
        let config = good(&format!("origin = \"http://a\"\n[[route]]\npath = \"/a\"\nttl = \"1h\"\n{line}\n"));
        config.proxy.rules.routes.iter().next().unwrap().invalidated_by.clone()
    };
    assert_eq!(meant(""), InvalidatedBy::Every);
    assert_eq!(meant("invalidated_by = \"path\""), InvalidatedBy::Path);
    assert_eq!(meant("invalidated_by = []"), InvalidatedBy::Listed(Vec::new()));
    let rules = meant("invalidated_by = [\"POST /b\", { request = \"* /c\", when = { status = [200, 201] } }]");
    let rules: Vec<_> = rules.rules().iter().map(|rule| (rule.request.as_str(), rule.when.clone())).collect();
    let statuses = Condition::Status(vec![StatusCode::OK, StatusCode::CREATED]);
    assert_eq!(rules, [("POST /b", vec![]), ("* /c", vec![statuses])]);
}

#[test]
fn whose_word_is_enough_is_read_as_it_is_meant() {
    let meant = |line: &str| {
        let config = Config::from_text("proxy.toml", &in_policy(line), |name| Some(format!("value of {name}")));
        let routes = config.unwrap_or_else(|error| panic!("{error}")).proxy.rules.routes.clone();
        routes.iter().next().unwrap().write.clone().unwrap().cache_by.unwrap()
    };
    assert_eq!(meant("cache_by = \"anyone\""), CacheBy::Anyone);
    let by = meant("cache_by = { field = \"Authorization\", value = \"Bearer ${TOKEN}\" }");
    assert_eq!(by, CacheBy::Credential(http::header::AUTHORIZATION, credential_hash(b"Bearer value of TOKEN")));
    let sent = |values: &[&'static str]| {
        let mut fields = HeaderMap::new();
        for value in values {
            fields.append("authorization", HeaderValue::from_static(value));
        }
        by.admits(&fields)
    };
    assert!(sent(&["Bearer value of TOKEN"]));
    for other in [&[][..], &["Bearer value of"], &["bearer value of TOKEN"], &["Bearer value of TOKEN"; 2]] {
        assert!(!sent(other), "{other:?}");
    }
    assert_eq!(
        meant("[route.write.cache_by]\nfield = \"X-Token\"\nvalue = \"x\""),
        CacheBy::Credential(http::HeaderName::from_static("x-token"), credential_hash(b"x"),)
    );
}

#[test]
fn in_shadow_nobody_could_read_what_the_cache_alone_has() {
    let anyone = in_policy("cache_by = \"anyone\"");
    let by_query = anyone.replace(
        "policy = \"cache\"",
        "select = { query = \"to\", default = \"both\", both = \"through\", one = \"cache\" }",
    );
    for policy in [&anyone, &by_query] {
        assert_bad(&format!("{policy}[verify]\nshadow = «true\n"), "write sample = \"1%\" in place of it");
        good(&format!("{policy}[verify]\nshadow = false\nsample = \"1%\"\n"));
    }
    let through = "origin = \"http://a\"\n[[route]]\npath = \"/o/{id}\"\nttl = \"1h\"\n[route.write]\nrequest = \"POST /o\"\n\
                   policy = \"through\"\n[verify]\nshadow = true\n";
    good(through);
}
