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
fn a_name_may_have_many_of_what_follows_names() {
    let path = "/un/a@b@c@d@e@f@g@h@i@j".to_owned();
    let app =
        app(&[route("/one/{id}", "key = \"one:{id}\"\nname = \"one\"")], &format!("{path} /one/a@b@c@d@e@f@g@h@i@j"));
    assert_eq!(dropped(&app, &Purge::Key(path.clone())), path);
    assert_eq!(dropped(&app, &Purge::Key("one:a@b@c@d@e@f@g@h@i@j".to_owned())), "/one/a@b@c@d@e@f@g@h@i@j");
    assert_eq!(dropped(&app, &Purge::Key(format!("{path}@shop.example#1"))), path);
    assert!(app.routes.purging(Purge::Key("/a".to_owned() + &"@".repeat(65)), "").is_err());
    let group = Purge::Tag("[2001:db8::1:2:3:4:5:6:7]:8080:news".to_owned());
    let group = app.routes.purging(group, "").unwrap();
    assert!(group.tags.contains(&Tag::cache_group("[2001:db8::1:2:3:4:5:6:7]:8080", "news")));
    assert!(app.routes.purging(Purge::Tag(":".repeat(65)), "").is_err());
}

#[test]
fn a_prefix_is_read_however_it_is_written() {
    let app = app(&[route("/fr\u{fc}chte/{id}", "name = \"f\"")], "/fr%C3%BCchte/1 /plain/1");
    for prefix in
        ["/fr%C3%BCchte", "/fr\u{fc}chte/", "http://h/fr%C3%BCchte/1", "/FR\u{dc}CHTE", "/%66r%C3%BCch", "/fr%C3"]
    {
        assert!(dropped(&app, &Purge::Prefix(prefix.to_owned())).starts_with("/fr%C3%BCchte/1"), "{prefix}");
        assert_eq!(covered(&app, prefix), "/fr%C3%BCchte/1", "{prefix}");
    }
    for all in ["s", "shop", "shop:"] {
        assert_eq!(dropped(&app, &Purge::Prefix(all.to_owned())), "/fr%C3%BCchte/1 /plain/1", "{all}");
    }
}

// The lower case of a sigma depends on what follows it, and after a prefix anything may.
#[test]
fn a_prefix_may_end_with_a_letter_whose_lower_case_depends_on_the_next() {
    let streets = "/%CE%9F%CE%94%CE%9F%CE%A3%CE%91/1 /%CE%BF%CE%B4%CE%BF%CF%82/1";
    let app = app(&[route("/\u{39f}\u{394}\u{39f}\u{3a3}/{id}", "name = \"s\"")], &format!("{streets} /plain/1"));
    for prefix in ["/\u{39f}\u{394}\u{39f}\u{3a3}", "/\u{3bf}\u{3b4}\u{3bf}\u{3c3}", "/\u{3bf}\u{3b4}\u{3bf}\u{3c2}"] {
        assert_eq!(covered(&app, prefix), streets, "{prefix}");
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
fn before_a_query_a_path_is_a_whole_one() {
    let app =
        app(&[route("/fruit/{id}", "name = \"fruit\"")], "/fruit/1 /fruit/10 /fruit/1?a=1 /x /x/ /x?a=1 /xy /xy?a=1");
    for (prefix, expected) in [
        ("/fruit/1", "/fruit/1 /fruit/10 /fruit/1?a=1"),
        ("/fruit/1?a=1", "/fruit/1 /fruit/1?a=1"),
        ("/x?a=1", "/x /x/ /x?a=1"),
        ("/x/?a", "/x /x/ /x?a=1"),
        ("http://h/x?", "/x /x/ /x?a=1"),
        ("/x", "/x /x/ /x?a=1 /xy /xy?a=1"),
    ] {
        assert_eq!(covered(&app, prefix), expected, "{prefix}");
    }
}

/// The reads whose entries a prefix is told to cover, by the names of their keys.
fn covered(app: &App, prefix: &str) -> String {
    let purging = app.routes.purging(Purge::Prefix(prefix.to_owned()), "shop:").unwrap();
    let beginning = purging.beginning.unwrap();
    let is_covered = |read: &&String| {
        let target = read.parse().unwrap();
        let read = aside::rules::Read { target: &target, fields: &HeaderMap::new(), host: None, secure: false };
        let (route, name) = match app.routes.find(target.path()) {
            Some((route, captures)) => {
                let at = place(route, &read, &captures).unwrap();
                (route.name.to_string(), at.key.name)
            }
            None => ("unrouted".to_owned(), read.target.as_str().to_owned()),
        };
        let is_dropped = meet(&purging.tags, &super::stored_tags(&app.routes, target.as_str()));
        let covers = beginning.covers(&route, &name);
        assert!(is_dropped || !covers, "{prefix} covers {target} and does not drop it");
        for added in ["@a.example", "#https#959a45d44e6fcf58361ed004681556fe#part", "@https://a#b#3"] {
            assert_eq!(beginning.covers(&route, &format!("{name}{added}")), covers, "{prefix}: {name}{added}");
        }
        covers
    };
    app.reads.iter().filter(is_covered).map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_prefix_covers_what_begins_so_and_what_cannot_be_told() {
    let shop = shop();
    for (prefix, expected) in [
        ("fruit:", "/fruit/1 /fruit/2 /fruit/007"),
        ("shop:fruit:", "/fruit/1 /fruit/2 /fruit/007"),
        ("FRUIT:2", "/fruit/2"),
        ("fruit:0", "/fruit/007"),
        ("/fruit/", "/fruit/1 /fruit/2 /fruit/007"),
        ("/FRUIT/2", "/fruit/2"),
        ("/fruit/00", "/fruit/007"),
        ("https://shop.example/orders/2", "/orders/2"),
        ("/orders/", "/orders/1 /orders/2"),
        ("/raw/1", "/raw/1?a=1 /raw/1?b=1"),
        // Of the query nothing is told by a path.
        ("/raw/1?b", "/raw/1?a=1 /raw/1?b=1"),
        ("/plain/1?x", "/plain/1 /plain/1?x=1"),
        ("/plain", "/plain/1 /plain/1?x=1 /plain/2"),
        ("/plain/2/", "/plain/2"),
        ("/active", "/active?country=NI&city=Managua /active?country=NI&city=Le%C3%B3n /active"),
        ("NI-", "/active?country=NI&city=Managua /active?country=NI&city=Le%C3%B3n"),
        ("ni-le", "/active?country=NI&city=Le%C3%B3n"),
        ("/", &shop.reads.join(" ")),
    ] {
        assert_eq!(covered(&shop, prefix), expected, "{prefix}");
    }
    let tables = [
        route("/city/{name}/streets", "key = \"streets:{name}\"\nname = \"streets\""),
        route("/pages/{page}/{part}", "key = \"pages:{part}:{page}\"\nname = \"pages\""),
    ];
    let cities = app(&tables, "/city/Le%C3%B3n/streets /city/a%40b/streets /pages/1/a");
    for (prefix, expected) in [
        ("/city/Le%C3%B3n/", "/city/Le%C3%B3n/streets"),
        ("/city/LE\u{d3}N", "/city/Le%C3%B3n/streets"),
        // Half a character.
        ("/city/Le%C3", "/city/Le%C3%B3n/streets"),
        ("/city/Le%C", "/city/Le%C3%B3n/streets"),
        ("/city/leon", ""),
        ("/city/a@", "/city/a%40b/streets"),
        ("/city/a%40b/s", "/city/a%40b/streets"),
        ("/city/b", ""),
        ("/pages/2", ""),
        ("/pages/1/a", "/pages/1/a"),
    ] {
        assert_eq!(covered(&cities, prefix), expected, "{prefix}");
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
    // No GET can ask for any of these.
    let no_urls = [
        "ftp://x/y",
        "http://",
        "http:///a",
        "http://[::1",
        "http://api.test:99999/a",
        "http://a b/c",
        "?x",
        "#x",
        "://a",
    ];
    for text in no_urls {
        for purge in [Purge::Url(text.to_owned()), Purge::Prefix(text.to_owned())] {
            if matches!(&purge, Purge::Url(_)) || text.starts_with("ftp") || text.starts_with("http") {
                let why = shop.routes.purging(purge, "").map(|purging| purging.tags).unwrap_err();
                assert!(why.to_string().contains("this is no URL"), "{text}: {why}");
            }
        }
    }
    for text in
        ["http://u:p@shop.example:80/a", "HTTPS://[::1]:8443/a?b#c", "http://shop.example", "http://a?b", "/a#b"]
    {
        assert!(shop.routes.purging(Purge::Url(text.to_owned()), "").is_ok(), "{text}");
    }
    assert_eq!(shop.routes.purging(Purge::All, "").unwrap().tags, [Tag::everything()]);
}
