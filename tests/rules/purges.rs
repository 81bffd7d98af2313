//! What a purge drops: too much where it cannot be told, never too little.

use aside::rules::{EntryRef, Purge, Tag, place};
use http::HeaderMap;

use super::written::meet;
use super::{App, app, route};

fn shop() -> App {
    let tables = [
        route("/fruit/{id}", "key = \"fruit:{id}\"\nname = \"fruit\"\ntags = [\"fruit:{id}\"]"),
        route("/active", "query = [\"country\", \"city\"]\nkey = \"{country}-{city}\"\nname = \"active\""),
        route("/orders/{page}", "name = \"orders\"\ninvalidated_by = []"),
        route("/raw/{id}", "name = \"raw\""),
    ];
    let reads = "/fruit/1 /fruit/2 /fruit/007 /active?country=NI&city=Managua /active?country=NI&city=Le%C3%B3n /active \
                 /orders/1 /orders/2 /raw/1?a=1 /raw/1?b=1 /raw/2 /plain/1 /plain/1?x=1 /plain/2 /";
    app(&tables, reads)
}

fn dropped(app: &App, purge: &Purge) -> String {
    let purging = app.routes.purging(purge.clone(), "shop:").unwrap_or_else(|why| panic!("{purge:?}: {why}"));
    assert!(!purging.tags.is_empty() && purging.tags.is_sorted());
    let is_dropped = |read: &&String| meet(&purging.tags, &super::stored_tags(&app.routes, read));
    app.reads.iter().filter(is_dropped).map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_url_is_what_its_route_makes_of_it() {
    let shop = shop();
    for (url, expected) in [
        ("/fruit/1", "/fruit/1"),
        ("/fruit/1?utm=x", "/fruit/1"),
        ("https://shop.example/fruit/1#top", "/fruit/1"),
        ("/fruit/007", "/fruit/007"),
        ("/active?city=Managua&country=NI&x=1", "/active?country=NI&city=Managua"),
        ("/active?city=leon&country=ni", "/active?country=NI&city=Le%C3%B3n"),
        ("/active", "/active"),
        ("/raw/1?a=1", "/raw/1?a=1 /raw/1?b=1"),
        ("/plain/1?x=1", "/plain/1 /plain/1?x=1"),
        ("http://shop.example", "/"),
        ("http://shop.example?a", "/"),
        // What no answer is stored for: whatever it may mean.
        ("/active?city=1&city=2", "/active?country=NI&city=Managua /active?country=NI&city=Le%C3%B3n /active"),
        ("/plain//1", "/plain/1 /plain/1?x=1"),
        ("/nothing", ""),
    ] {
        assert_eq!(dropped(&shop, &Purge::Url(url.to_owned())), expected, "{url}");
    }
}

#[test]
fn a_key_is_what_the_file_and_redis_call_it() {
    let shop = shop();
    for (key, expected) in [
        ("fruit:1", "/fruit/1"),
        ("shop:fruit:1", "/fruit/1"),
        ("{shop:fruit:1}:meta", "/fruit/1"),
        ("fruit:1#https#959a45d44e6fcf58361ed004681556fe#part", "/fruit/1"),
        // It may be a value with an `@`, as a person writes it.
        ("fruit:1@a.example#https", "/fruit/1 /fruit/007"),
        ("fruit:1#around", "/fruit/1"),
        ("fruit:007", "/fruit/007"),
        ("NI-Managua", "/active?country=NI&city=Managua"),
        ("NI-Le%C3%B3n", "/active?country=NI&city=Le%C3%B3n"),
        ("NI-León", "/active?country=NI&city=Le%C3%B3n"),
        ("~-~", "/active"),
        ("/orders/2", "/orders/2"),
        ("/raw/1?a=1", "/raw/1?a=1 /raw/1?b=1"),
        ("/plain/1?x=1@https://a.example", "/plain/1 /plain/1?x=1"),
    ] {
        assert_eq!(dropped(&shop, &Purge::Key(key.to_owned())), expected, "{key}");
    }
}

#[test]
fn tags_routes_and_everything() {
    let shop = shop();
    for (purge, expected) in [
        (Purge::Tag("fruit:1".to_owned()), "/fruit/1 /fruit/007"),
        (Purge::Tag("Fruit: 2".to_owned()), "/fruit/2 /fruit/007"),
        (Purge::Tag("nothing".to_owned()), "/fruit/007"),
        (Purge::Route("orders".to_owned()), "/orders/1 /orders/2"),
        (Purge::Route("unrouted".to_owned()), "/plain/1 /plain/1?x=1 /plain/2 /"),
        (Purge::Route("-".to_owned()), "/plain/1 /plain/1?x=1 /plain/2 /"),
        (Purge::All, &shop.reads.join(" ")),
    ] {
        assert_eq!(dropped(&shop, &purge), expected, "{purge}");
    }
}

#[test]
fn a_prefix_is_one_of_keys_and_of_paths() {
    let shop = shop();
    let fruit = "/fruit/1 /fruit/2 /fruit/007";
    for (prefix, expected) in [
        ("fruit:", fruit),
        ("shop:fru", fruit),
        ("fruit:2", fruit),
        ("/fruit", &*format!("{fruit} /plain/1 /plain/1?x=1 /plain/2 /")),
        ("https://shop.example/orders/2", "/orders/1 /orders/2 /plain/1 /plain/1?x=1 /plain/2 /"),
    ] {
        let with_active = dropped(&shop, &Purge::Prefix(prefix.to_owned()));
        // A key that begins with a value may be any.
        let active = "/active?country=NI&city=Managua /active?country=NI&city=Le%C3%B3n /active";
        let without = with_active.replace(active, "");
        assert_eq!(without.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{prefix}");
        assert!(with_active.contains(active));
    }
}

#[test]
fn what_a_write_policy_has_left_goes_too() {
    let policy = "[route.write]\nrequest = \"PUT /fruit/{id}\"\npolicy = \"around\"";
    let app = app(&[route("/fruit/{id}", &format!("key = \"fruit:{{id}}\"\nname = \"fruit\"\n{policy}"))], "/fruit/1");
    for id in ["1", "007"] {
        of_a_write_policy(&app, id);
    }
}

fn of_a_write_policy(app: &App, id: &str) {
    let path = format!("/fruit/{id}");
    let (found, captures) = app.routes.find(&path).unwrap();
    let target = path.parse().unwrap();
    let read = aside::rules::Read { target: &target, fields: &HeaderMap::new(), host: None, secure: false };
    let at: EntryRef = place(found, &read, &captures).unwrap();
    for purge in [path.clone(), format!("/fruit//{id}")].map(Purge::Url).into_iter().chain([
        Purge::Key(format!("fruit:{id}")),
        Purge::Route("fruit".to_owned()),
        Purge::Prefix("fruit:".to_owned()),
        Purge::All,
    ]) {
        let tags = app.routes.purging(purge.clone(), "").unwrap().tags;
        assert!(meet(&tags, &at.around().tags), "{purge}: {tags:?}");
        // What the cache alone has of it has neither of the tags that tell what the origin had a part in.
        assert!(meet(&tags, &at.tags), "{purge}: {tags:?}");
    }
}

#[test]
fn what_names_nothing_is_refused_with_a_sentence() {
    let shop = shop();
    for (purge, field, part) in [
        (Purge::Key("orange:1".to_owned()), "key", "the file makes keys such as fruit:{id}"),
        (Purge::Key(String::new()), "key", "`key` is empty"),
        (Purge::Url("fruit/1".to_owned()), "url", "write a path, as in /fruit/1?page=2"),
        (Purge::Url("/a b".to_owned()), "url", "this is no URL"),
        (Purge::Route("vegetables".to_owned()), "route", "the routes are fruit, active, orders, raw, unrouted"),
        (Purge::Tag("x".repeat(10_000)), "tag", "longer than"),
    ] {
        let why = shop.routes.purging(purge, "").unwrap_err();
        assert_eq!(why.field, field);
        assert!(why.to_string().contains(part), "{why}");
    }
    assert_eq!(shop.routes.purging(Purge::All, "").unwrap().tags, [Tag::everything()]);
}
