//! `[store]`: every kind of Redis, and what is wrong with one.

use std::time::Duration;

use aside::config::{Config, Overrides};

use super::{assert_bad, good, read};

/// With the names of hosts, or there is a note about those.
fn table(lines: &str) -> String {
    format!("origin = \"http://a\"\nclients.hosts = [\"a.example\"]\n[store]\n{lines}\n")
}

#[test]
fn every_kind_of_redis_is_read() {
    for (url, meant) in [
        ("redis://10.0.0.7/3", "redis://10.0.0.7:6379/3"),
        ("redis+unix:///run/redis.sock?db=2", "redis+unix:///run/redis.sock?db=2"),
        ("redis+sentinel://a,[::1]:26380, c/mymaster/1", "redis+sentinel://a:26379,[::1]:26380,c:26379/mymaster/1"),
    ] {
        assert_eq!(good(&table(&format!("url = \"{url}\""))).store.url.to_string(), meant);
    }
}

#[test]
fn times_and_replicas_have_bounds() {
    let store = good(&table("lease = \"200ms\"\nabsence = \"0s\"\nreplicas = 2")).store;
    assert_eq!((store.lease, store.absence, store.replicas), (Duration::from_millis(200), Duration::ZERO, Some(2)));
    let store = good(&table("")).store;
    assert_eq!((store.lease, store.absence, store.replicas), (Duration::from_secs(1), Duration::from_secs(10), None));
    for (line, help) in [
        ("lease = «\"199ms\"", "at least \"200ms\"; the default is \"1s\""),
        ("lease = «\"61s\"", "at most \"1m\"; the default is \"1s\""),
        ("lease = «1", "\"1s\""),
        ("absence = «\"2d\"", "at most \"1d\"; the default is \"10s\""),
        ("replicas = «\"2\"", "without quotes"),
        ("replicas = «-1", "a whole number from 0"),
        ("replicas = «1.5", "without quotes"),
    ] {
        assert_bad(&table(line), help);
    }
}

#[test]
fn a_bad_url_says_what_to_write_and_no_secret() {
    for (url, help) in [
        ("redis+sentinel://:hush@a,b", "/mymaster"),
        ("redis+sentinel://:hush@a,,b/m", "/mymaster"),
        ("redis+sentinel://:hush@a:0/m", "/mymaster"),
        ("redis+sentinel://:hush@a,a:26379/m", "/mymaster"),
        ("redis+sentinel://:hush@::1/m", "redis://[::1]:6379"),
        ("redis+sentinel://:hu/sh@a/m", "/mymaster"),
        ("redis+unix:///run/redis.sock?password=hush", "redis://"),
        ("redis://:hush@a/?db=1", "redis://localhost:6379/1"),
        ("redis+cluster://:hush@a", "one Redis"),
    ] {
        let text = table(&format!("url = «\"{url}\""));
        assert_bad(&text, help);
        let error = read(&text.replace('«', "")).unwrap_err().to_string();
        assert!(!error.contains("hush") || !url.contains('@'), "{error}");
    }
}

#[test]
fn logins_of_sentinels_want_sentinels() {
    let url = "url = \"redis+sentinel://a/m\"";
    good(&table(&format!("{url}\nsentinel_user = \"u\"\nsentinel_password = \"hush\"")));
    for (lines, help) in [
        (format!("{url}\nsentinel_user = «\"u\""), "add sentinel_password"),
        (format!("{url}\n«sentinel = \"hush\""), "redis+sentinel://"),
        ("«password = \"hush\"".to_owned(), "part of the URL"),
    ] {
        assert_bad(&table(&lines), help);
        let error = read(&table(&lines).replace('«', "")).unwrap_err().to_string();
        assert!(!error.contains("password = \"hush"), "{error}");
    }
    for url in ["redis://a", "memory://"] {
        let remarks = good(&table(&format!("url = \"{url}\"\nsentinel_password = \"hush\""))).remarks.render(false);
        assert!(remarks.contains("`sentinel_password` has no effect") && !remarks.contains("hush"), "{remarks}");
    }
    // A password from outside is in no message either.
    let text = table("url = \"redis+sentinel://a\"\nsentinel_password = \"${HUSH}\"");
    let error = Config::from_text("proxy.toml", &text, |_| Some("hunter2".to_owned())).unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn tls_without_a_url_for_it_is_an_error() {
    for url in ["redis://a", "memory://", "redis+unix:///run/redis.sock", "redis+sentinel://a/m"] {
        let text = format!("{}\n«[store.tls]\nname = \"b\"\n", table(&format!("url = \"{url}\"")));
        assert_bad(&text, "rediss://");
    }
    // The command line may make it idle.
    let folder = super::origin::files();
    let file = folder.path().join("proxy.toml");
    let text = table(
        "url = \"rediss://a\"\n[store.tls]\nca = \"ca.pem\"\ncert = \"ca.pem\"\nkey = \"key.pem\"\nname = \"b.test\"",
    );
    std::fs::write(&file, text).unwrap();
    assert_eq!(Config::load(&file, &Overrides::default()).unwrap().store.url.to_string(), "rediss://a:6379/0");
    let given = Overrides { store: Some("redis://b".to_owned()), ..Overrides::default() };
    assert_eq!(Config::load(&file, &given).unwrap().store.url.to_string(), "redis://b:6379/0");
    let given = Overrides { store: Some("rediss://b".to_owned()), ..Overrides::default() };
    assert_eq!(Config::load(&file, &given).unwrap().store.url.to_string(), "rediss://b:6379/0");
}

#[test]
fn what_is_wrong_with_a_file_of_tls_is_said() {
    let folder = super::origin::files();
    let at = |name: &str| folder.path().join(name).display().to_string();
    for (lines, message) in [
        (format!("ca = «\"{}\"", at("missing.pem")), "missing.pem cannot be read: No such file"),
        (format!("ca = «\"{}\"", at("key.pem")), "contains no certificate in PEM"),
        (format!("cert = \"{}\"\nkey = «\"{}\"", at("ca.pem"), at("other.pem")), "is not the key of the certificate"),
        (format!("cert = «\"{}\"", at("ca.pem")), "`key` is missing"),
        (format!("key = «\"{}\"", at("key.pem")), "`cert` is missing"),
        (format!("ca = \"{}\"\nname = «\"a b\"", at("ca.pem")), "neither a host name nor an IP address"),
        ("«verify = false".to_owned(), "there is no key `verify` in [store.tls]"),
    ] {
        for url in ["rediss://10.0.0.7", "rediss+sentinel://a,b/m"] {
            let text = format!("{}[store.tls]\n{lines}\n", table(&format!("url = \"{url}\"")));
            assert_bad(&text, "");
            let error = read(&text.replace('«', "")).unwrap_err().to_string();
            assert!(error.contains(message), "{message}: {error}");
            assert!(!error.contains("hunter2") && !error.contains("BEGIN"), "{error}");
        }
    }
}
