//! `[origin]`: several addresses, TLS and its files, health checks.

use std::time::Duration;

use aside::config::{Config, Overrides};

use super::{assert_bad, good, read};

#[test]
fn several_addresses_of_one_scheme() {
    let config = good("[origin]\nurl = [\"http://a:1\", \"http://b\"]\n");
    assert_eq!(config.origin.urls(), ["http://a:1", "http://b"]);
    assert_eq!(good("origin = [\"http://a:1\", \"http://b\"]\n").origin.urls(), ["http://a:1", "http://b"]);
    for (text, help) in [
        ("[origin]\nurl = «[]\n", "url = \"http://127.0.0.1:5000\""),
        ("origin = «[]\n", "\"http://127.0.0.1:5000\""),
        ("origin = [\"http://a\", «\"http://a\"]\n", "delete one"),
        ("origin = [\"http://a\", \"«htp://b\"]\n".replace("\"«", "«\"").as_str(), "http://"),
        ("origin = [\"http://a\", «1]\n", "in quotes"),
        ("origin = «true\n", "or an [origin] table"),
        ("origin = [\"http://a\"]\n[«origin]\nupgrade = true\n", "write url = … below [origin]"),
        ("[origin]\nurl = [\"http://a\", «\"http://a\"]\n", "delete one"),
        ("[origin]\nurl = [\"http://a\", «\"https://b\"]\n", "all with https://"),
        ("[origin]\nurl = [\"http://a\", «\"b:1\"]\n", "\"http://b:1\""),
        ("[origin]\nurl = [\"http://a\", «\"http://127.0.0.1:8080\"]\n", "another port"),
        ("[origin]\n«urls = [\"http://a\"]\nurl = \"http://a\"\n", "url = ["),
    ] {
        assert_bad(text, help);
    }
}

#[test]
fn times_and_tunnels() {
    let config = good("[origin]\nurl = \"http://a\"\ntotal_timeout = \"2m\"\nupgrade = true\ntunnel_idle = \"5m\"\n");
    assert_eq!(config.origin.total_timeout, Some(Duration::from_secs(120)));
    assert_eq!((config.origin.upgrade, config.origin.tunnel_idle), (true, Duration::from_secs(300)));
    let config = good("origin = \"http://a\"\n[[route]]\npath = \"/a\"\nttl = \"1s\"\nupgrade = true\n");
    assert_eq!(config.proxy.rules.routes.iter().next().unwrap().upgrade, Some(true));
    for (text, help) in [
        ("[origin]\nurl = \"http://a\"\ntotal_timeout = «\"0s\"\n", "by default there is no limit"),
        ("[origin]\nurl = \"http://a\"\ntunnel_idle = «\"0s\"\n", "the default is \"1h\""),
        ("[origin]\nurl = \"http://a\"\nupgrade = «\"yes\"\n", "true or false"),
        ("[origin]\nurl = \"http://a\"\n«websocket = true\n", "upgrade = true"),
    ] {
        assert_bad(text, help);
    }
}

#[test]
fn health_checks() {
    let config = good("[origin]\nurl = \"http://a\"\n[origin.health]\npath = \"/health?full=1\"\n");
    let health = config.origin.health.unwrap();
    assert_eq!((health.path.as_str(), health.interval), ("/health?full=1", Duration::from_secs(5)));
    assert_eq!(health.timeout, Duration::from_secs(1));
    let off = good("[origin]\nurl = \"http://a\"\n[origin.health]\ninterval = \"1s\"\n");
    assert!(off.origin.health.is_none() && off.remarks.render(false).contains("nothing is checked"));
    for (text, help) in [
        ("[origin]\nurl = \"http://a\"\n[origin.health]\npath = «\"health\"\n", "\"/health\""),
        ("[origin]\nurl = \"http://a\"\n[origin.health]\npath = \"/\"\ninterval = «\"0s\"\n", "the default is \"5s\""),
        ("[origin]\nurl = \"http://a\"\n[origin.health]\n«url = \"/\"\n", "`url` belongs in [origin]"),
    ] {
        assert_bad(text, help);
    }
}

/// A folder with a certificate, its key, the key of another one, and a file that is neither.
pub(super) fn files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
    let other = rcgen::KeyPair::generate().unwrap();
    for (name, text) in [
        ("ca.pem", made.cert.pem()),
        ("key.pem", made.signing_key.serialize_pem()),
        ("other.pem", other.serialize_pem()),
        ("none.pem", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n".to_owned()),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn paths_are_relative_to_the_file() {
    let folder = files();
    let file = folder.path().join("proxy.toml");
    let tls = "ca = \"ca.pem\"\ncert = \"ca.pem\"\nkey = \"key.pem\"\nname = \"b.test\"\n";
    std::fs::write(&file, format!("origin.url = \"https://a.test\"\n[origin.tls]\n{tls}")).unwrap();
    let config = Config::load(&file, &Overrides::default()).unwrap();
    assert_eq!(config.origin.urls(), ["https://a.test"]);
    assert!(config.origin.tls.unwrap().verifies());
}

#[test]
fn what_is_wrong_with_a_file_is_said_without_what_is_in_it() {
    let folder = files();
    let at = |name: &str| folder.path().join(name).display().to_string();
    for (line, message) in [
        (format!("ca = «\"{}\"", at("missing.pem")), "missing.pem cannot be read: No such file"),
        (format!("ca = «\"{}\"", folder.path().display()), "is a directory"),
        (format!("ca = «\"{}\"", at("key.pem")), "contains no certificate in PEM"),
        (format!("cert = \"{}\"\nkey = «\"{}\"", at("ca.pem"), at("other.pem")), "is not the key of the certificate"),
        (
            format!("cert = \"{}\"\nkey = «\"{}\"", at("ca.pem"), at("none.pem")),
            "contains a private key of a type that is not supported",
        ),
        (
            format!("cert = \"{}\"\nkey = «\"{}\"", at("ca.pem"), at("ca.pem")),
            "contains no unencrypted private key in PEM",
        ),
        (format!("cert = «\"{}\"", at("ca.pem")), "`key` is missing"),
        (format!("key = «\"{}\"", at("key.pem")), "`cert` is missing"),
        (format!("ca = \"{}\"\nname = «\"a b\"", at("ca.pem")), "neither a host name nor an IP address"),
    ] {
        let text = format!("[origin]\nurl = \"https://a.test\"\nhost = \"origin\"\n[origin.tls]\n{line}\n");
        assert_bad(&text, "");
        let error = read(&text.replace('«', "")).unwrap_err().to_string();
        assert!(error.contains(message), "{message}: {error}");
        assert!(!error.contains("hunter2") && !error.contains("BEGIN"), "{error}");
    }
}

#[test]
fn to_verify_nothing_is_a_warning_and_so_is_tls_without_https() {
    let config = good("[origin]\nurl = \"https://a\"\n[origin.tls]\nverify = false\n");
    assert!(config.remarks.render(false).contains("warning: the origin's certificate is not verified"));
    assert!(!config.origin.tls.unwrap().verifies());
    let config = good("[origin]\nurl = \"http://a\"\n[origin.tls]\nname = \"b\"\n");
    assert!(config.remarks.render(false).contains("has no effect"), "{}", config.remarks.render(false));
}
