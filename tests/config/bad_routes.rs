//! Bad routes: each row has its fault at the `«`, and a part of the help.

use super::{assert_bad, good, read};

const ORIGIN: &str = "origin = \"http://a\"\n";

/// A route with a good path, and these lines.
fn in_route(lines: &str) -> String {
    format!("{ORIGIN}[[route]]\npath = \"/orders/{{page}}\"\n{lines}\n")
}

#[test]
fn a_word_for_true_or_false() {
    for key in ["cookies", "authorization"] {
        for value in ["true", "1"] {
            let help = "write \"bypass\", \"ignore\" or \"key\"";
            assert_bad(&in_route(&format!("{key} = «{value}")), help);
        }
    }
    assert_bad(&in_route("request_directives = «false"), "\"honour\"");
    assert_bad(&in_route("name = «1"), "in quotes");
}

#[test]
fn paths() {
    for (text, help) in [
        ("«[[route]]\nttl = \"1h\"\n", "add path = "),
        ("[[route]]\npath = \"«orders\"\n", "\"/orders/{page}\""),
        ("[[route]]\npath = \"/orders«?page=1\"\n", "every query of a path counts"),
        ("[[route]]\npath = \"/orders/«{page\"\n", "\"/orders/{page}\""),
        ("[[route]]\npath = \"/a/«{*rest}/b\"\n", ""),
        ("[[route]]\npath = \"/{a}/{«a}\"\n", "its own name"),
        ("[[route]]\npath = \"/{«order id}\"\n", "{order_id}"),
        ("[[route]]\npath = «\"/a%2Fb\"\n", "\"/orders/{page}\""),
        ("[[route]]\npath = «\"/a;b\"\n", "\"/orders/{page}\""),
        ("[[route]]\npath = «1\n", "in quotes"),
    ] {
        assert_bad(&format!("{ORIGIN}{text}"), help);
    }
}

#[test]
fn routes_that_cannot_stand_together() {
    let two = |one: &str, other: &str| format!("{ORIGIN}[[route]]\npath = \"{one}\"\n[[route]]\npath = «\"{other}\"\n");
    assert_bad(&two("/orders/{page}", "/orders/latest"), "move this route above the other");
    assert_bad(&two("/orders/{page}", "/orders/{id}"), "delete one of the two");
    assert_bad(&two("/{*all}", "/orders/{id}"), "move this route above the other");
    assert_bad(&two("/{a}/x", "/y/{b}"), "path = \"/y/x\" above both");
    let settled = "[[route]]\npath = \"/y/x\"\n[[route]]\npath = \"/{a}/x\"\n[[route]]\npath = \"/y/{b}\"\n";
    good(&format!("{ORIGIN}{settled}"));
    good(&format!("{ORIGIN}[[route]]\npath = \"/orders/latest\"\n[[route]]\npath = \"/orders/{{page}}\"\n"));
}

#[test]
fn names_and_keys_of_two_routes() {
    let two = |one: &str, other: &str| {
        format!("{ORIGIN}[[route]]\npath = \"/a/{{x}}\"\n{one}\n[[route]]\npath = \"/b/{{y}}\"\n{other}\n")
    };
    assert_bad(&two("name = \"n\"", "name = «\"n\""), "another `name`");
    assert_bad(&two("", "name = «\"/a/{x}\""), "another `name`");
    assert_bad(&two("key = \"k:{x}\"", "key = «\"k:{y}\""), "a `key` of its own");
    good(&format!("{ORIGIN}[[route]]\npath = \"/a/{{x}}\"\n[[route]]\npath = \"/a/{{*rest}}\"\n"));
}

#[test]
fn one_write_has_one_policy() {
    let two = |one: &str, other: &str| {
        format!(
            "{ORIGIN}[[route]]\npath = \"/a/{{x}}\"\nwrite = {{ request = \"{one}\", policy = \"through\" }}\n[[route]]\n\
             path = \"/b/{{y}}\"\nwrite = «{{ request = \"{other}\", policy = \"around\" }}\n"
        )
    };
    assert_bad(&two("POST /orders", "POST /orders"), "`invalidated_by`");
    assert_bad(&two("* /orders/{x}", "PUT /orders/{y}"), "`invalidated_by`");
    good(&two("POST /orders", "PUT /orders").replace('«', ""));
    good(&two("POST /orders", "POST /carts").replace('«', ""));
}

#[test]
fn both_routes_are_pointed_at() {
    let text = format!("{ORIGIN}[[route]]\npath = \"/a/{{x}}\"\n[[route]]\npath = \"/a/b\"\n");
    let printed = read(&text).unwrap_err().to_string();
    assert!(printed.contains("3 | path") && printed.contains("5 | path"), "{printed}");
}

#[test]
fn keys_and_tags() {
    for (lines, help) in [
        ("key = «\"orders\"", "add {page}"),
        ("query = [\"lang\"]\nkey = «\"o:{page}\"", "add {lang}"),
        ("key = \"o:{«pge}\"", "write {page}"),
        ("key = \"o:{page}:{«lang}\"", "query = [\"lang\"]"),
        ("query = [\"a\"]\nkey = \"o:{page}:{a}:{«lang}\"", "add it to `query`"),
        ("key = \"o:{page}:{«body:/id}\"", "a read has no body"),
        ("key = \"o:{page}:{«response:/id}\"", "only `tags` can come from the response"),
        ("key = \"o:{page«\"".replace("{page«", "«{page").as_str(), "\"fruit:{id}\""),
        ("query = [\"a\"]\nkey = \"{page}«{a}\"", "\"fruit:{id}\""),
        ("key = \"o«#{page}\"", "\"fruit:{id}\""),
        ("key = \"{«bdy:/id}\"", "`body:` or `response:`"),
        ("tags = [\"x:{«body:/id}\"]", "{response:/customer_id}"),
        ("tags = [\"x:{«nobody}\"]", "query = [\"nobody\"]"),
        ("tags = «\"x\"", "[\"x\"]"),
        ("query = «\"page\"", "[\"page\"]"),
        ("query = [\"a\", «\"a\"]", "delete one"),
        ("query = [«\"page\"]", "another name"),
        ("query = [«\"a=b\"]", "query = [\"page\"]"),
        ("query = [«\"a[b]\"]\nkey = \"o:{page}\"", "delete `key`"),
        ("vary = [«\"Cookie\"]", "cookies = \"key\""),
        ("vary = [\"Accept\", «\"Authorization\"]", "authorization = \"key\""),
        ("vary = [«\"X-Api-Key\"]", "authorization = \"key\""),
        ("vary = [«\"a b\"]", "\"Accept-Language\""),
        ("vary = [\"Accept\", «\"accept\"]", "delete one"),
        ("name = «\"\"", "short name"),
        ("name = «\"unrouted\"", "another name"),
        ("«group = \"g\"", "a write drops whatever it may have changed"),
    ] {
        assert_bad(&in_route(lines), help);
    }
}

#[test]
fn lifetimes_and_choices() {
    for (lines, help) in [
        ("ttl = «60", "\"60s\""),
        ("ttl = «\"60\"", "\"60s\""),
        ("ttl = «\"1 hour\"", "\"1h\""),
        ("ttl = «true", "\"1h30m\""),
        ("settle = «\"61m\"", "at most \"1h\"; the default is \"0s\""),
        ("settle = «2", "\"2s\""),
        ("ttl_jitter = «\"101%\"", "\"10%\""),
        ("ttl_jitter = «0.1", "\"0.1%\""),
        ("statuses = { «99 = \"1s\" }", "200 to 599"),
        ("statuses = { «206 = \"1s\" }", "delete it"),
        ("statuses = { 404 = «10 }", "\"10s\""),
        ("statuses = { 404 = «\"forever\" }", "\"1h30m\""),
        ("statuses = «404", "{ name = \"value\" }"),
        ("cookies = «\"keys\"", "\"key\""),
        ("authorization = «\"allow\"", "\"bypass\", \"ignore\" or \"key\""),
        ("max_body = «1048576", "\"1048576B\""),
        ("etag = «\"true\"", "without quotes"),
        ("close_delimited = «\"true\"", "without quotes"),
        ("set_cookie = «\"store\"", "\"strip\""),
        ("override_origin = «true", "ttl = \"10m\""),
        ("ttl = \"1h\"\noverride_private = «true", "override_origin = true"),
        ("annotate = «{ field = \"x\", hit = true }", "miss = false"),
        ("annotate = «{ field = \"x\", hit = 1, miss = 1 }", "hit = true, miss = false"),
        ("annotate = { field = «\"\", hit = 1, miss = 2 }", "field = \"from_cache\""),
        ("annotate = { field = \"x\", hit = «2020-01-01, miss = 2 }", "in quotes"),
        ("annotate = «\"x\"", "annotate = {"),
        ("unless = { «\"body.error\" = true }", "\"response.error\""),
        ("unless = { «\"error\" = true }", "response.result"),
    ] {
        assert_bad(&in_route(lines), help);
    }
}

#[test]
fn invalidations() {
    for (lines, help) in [
        ("invalidated_by = «\"PUT /a\"", "[\"PUT /a\"]"),
        ("invalidated_by = [\"«PUT\"]", "\"PUT /fruit/{id}\""),
        ("invalidated_by = [\"«put /a\"]", "\"PUT /fruit/{id}\""),
        ("invalidated_by = [\"«GET /a\"]", "POST, PUT, PATCH or DELETE"),
        ("invalidated_by = [\"PUT «a\"]", "\"PUT /fruit/{id}\""),
        ("invalidated_by = [\"PUT /a\", «\"PUT /a\"]", "delete one"),
        ("invalidated_by = [«1]", "a table with `request`"),
        ("invalidated_by = [«{ tags = [\"x\"] }]", "add request = "),
        ("invalidated_by = [{ request = \"PUT /a\", when = { «result = 1 } }]", "\"response.result\""),
        ("invalidated_by = [{ request = \"PUT /a\", when = { «response = { result = 1 } } }]", "\"response.result\""),
        ("invalidated_by = [{ request = \"PUT /a\", when = { «\"request.a\" = 1 } }]", "\"body.a\""),
        ("invalidated_by = [{ request = \"PUT /a\", when = { \"body.a\" = «2020-01-01 } }]", "in quotes"),
        ("invalidated_by = [{ request = \"PUT /a\", variables = { «pge = \"{body:/p}\" } }]", "write `page`"),
        ("invalidated_by = [{ request = \"PUT /a\", variables = { page = «\"x{body:/p}\" } }]", "\"{body:/order/id}\""),
        ("invalidated_by = [{ request = \"PUT /a\", variables = { page = \"{«body:p}\" } }]", "{body:/order/id}"),
        ("invalidated_by = [{ request = \"PUT /a\", tags = [\"«{x\"] }]", "\"fruit:{id}\""),
    ] {
        assert_bad(&in_route(lines), help);
    }
}

#[test]
fn write_policies() {
    let entry = "entry = '{\"o\": {body}}'";
    let reply = "cache_by = \"anyone\"\nreply = { status = 201, json = '{}' }";
    let by = "cache_by = \"anyone\"";
    let stored = "ttl = \"1h\"\n";
    let in_route = |lines: &str| in_route(&format!("{stored}{lines}"));
    let target = |line: &str| format!("[route.write]\nrequest = \"POST /orders\"\n{line}");
    for (lines, help) in [
        ("«[route.write]\npolicy = \"through\"".to_owned(), "add request = "),
        ("«[route.write]\nrequest = \"POST /orders\"".to_owned(), "policy = \"through\""),
        (target("policy = «\"throu\""), "\"through\""),
        (target("policy = «\"around\"\nselect = { query = \"t\", default = \"a\", a = \"around\" }"), "delete one"),
        (target("select = «{ default = \"a\", a = \"around\" }"), "query = \"target\""),
        (target("select = «{ query = \"t\", a = \"around\" }"), "query = \"target\""),
        (target("select = { query = \"t\", default = «\"both\", a = \"around\" }"), "both = \"through\""),
        (target("select = { query = \"t\", default = «\"aa\", ab = \"around\" }"), "\"ab\""),
        (target("select = { query = \"t\", default = \"a\", a = «\"aruond\" }"), "\"around\""),
        (format!("«[route.write]\nrequest = \"POST /orders\"\npolicy = \"cache\"\n{reply}"), "add entry = "),
        (format!("«[route.write]\nrequest = \"POST /orders\"\npolicy = \"cache\"\n{by}\n{entry}"), "add reply = "),
        (target("policy = \"through\"\nentry = «'{\"o\": {page}}'"), "'{\"order\": {body}"),
        (target(&format!("policy = \"cache\"\n{by}\n{entry}\nreply = «{{ status = 201 }}")), "json = "),
        (target(&format!("policy = \"cache\"\n{by}\n{entry}\nreply = «{{ json = '{{}}' }}")), "status = 201"),
        (
            target(&format!("policy = \"cache\"\n{by}\n{entry}\nreply = {{ status = «404, json = '{{}}' }}")),
            "200 or 201",
        ),
        (
            target(&format!("policy = \"cache\"\n{by}\n{entry}\nreply = {{ status = «204, json = '{{}}' }}")),
            "200 or 201",
        ),
        (
            target("policy = \"through\"").replace("\"POST /orders\"", "«\"DELETE /orders\""),
            "\"DELETE /orders/{page}\"",
        ),
    ] {
        assert_bad(&in_route(&lines), help);
    }
    let idle = in_route(&target(&format!("policy = \"around\"\n{entry}\n{reply}")).replace(by, ""));
    let remarks = good(&idle).remarks.render(false);
    assert_eq!(remarks.matches("warning: ").count(), 2, "{remarks}");
}

#[test]
fn what_writes_store_needs_a_lifetime() {
    let policy = |before: &str, mark: &str, policy: &str| {
        in_route(&format!(
            "{before}\n{mark}[route.write]\nrequest = \"POST /orders\"\npolicy = \"{policy}\"\nentry = '{{\"o\": {{body}}}}'\n{}",
            if policy == "cache" { "cache_by = \"anyone\"\nreply = { status = 201, json = '{}' }" } else { "" }
        ))
    };
    assert_bad(&policy("", "«", "through"), "add ttl = \"1h\"");
    assert_bad(&policy("", "«", "cache"), "add ttl = \"1h\"");
    good(&policy("ttl = \"1h\"", "", "through"));
    good(&policy("ttl = \"1h\"", "", "cache"));
    good(&policy("statuses = { 200 = \"1h\" }", "", "cache"));
    for keyed in ["cookies", "authorization"] {
        assert_bad(&policy(&format!("ttl = \"1h\"\n{keyed} = \"key\""), "«", "through"), "delete `entry`");
        good(&in_route(&format!("{keyed} = \"key\"\n[route.write]\nrequest = \"POST /orders\"\npolicy = \"through\"")));
    }
    good(&in_route("[route.write]\nrequest = \"POST /orders\"\npolicy = \"through\""));
}
