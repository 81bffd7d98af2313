//! `[tls]` names two files: what is wrong with them is told before anything is opened.

use std::fs;
use std::path::Path;

use aside::config::{Config, Overrides};

const TABLE: &str = "origin = \"http://127.0.0.1:1\"\n[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n";

/// What is in the two files, the place and the message of what is wrong, and what to do.
type Case<'a> = (Option<&'a str>, Option<&'a str>, &'static str, &'static str, &'static str);

fn load(folder: &Path, text: &str) -> Result<Config, String> {
    let file = folder.join("proxy.toml");
    fs::write(&file, text).unwrap();
    Config::load(&file, &Overrides::default()).map_err(|error| error.to_string())
}

fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn a_relative_path_begins_where_the_file_is() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = pair();
    fs::write(folder.path().join("cert.pem"), cert).unwrap();
    fs::write(folder.path().join("key.pem"), key).unwrap();
    let tls = load(folder.path(), TABLE).unwrap().server.tls.unwrap();
    assert_eq!(tls.cert, folder.path().join("cert.pem"));
}

#[test]
fn a_fault_names_the_file_and_the_cause_and_nothing_of_the_key() {
    let (cert, key) = pair();
    let (other, _) = pair();
    let secret: String = key.lines().nth(1).unwrap().chars().take(16).collect();
    let torn = format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n");
    let cases: [Case<'_>; 9] = [
        (None, Some(&key), ":3:8", "cert.pem cannot be read: No such file", "name a file that exists"),
        (Some(&cert), None, ":4:7", "key.pem cannot be read: No such file", "name a file that exists"),
        (Some(""), Some(&key), ":3:8", "cert.pem contains no certificate", "BEGIN CERTIFICATE"),
        (Some(&key), Some(&key), ":3:8", "cert.pem contains no certificate", "BEGIN CERTIFICATE"),
        (
            Some("-----BEGIN CERTIFICATE-----\nAAAA"),
            Some(&key),
            ":3:8",
            "cert.pem is not valid PEM",
            "BEGIN CERTIFICATE",
        ),
        (
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            Some(&key),
            ":3:8",
            "contains a certificate that is not valid",
            "BEGIN CERTIFICATE",
        ),
        (Some(&cert), Some(&cert), ":4:7", "key.pem contains no unencrypted private key", "BEGIN PRIVATE KEY"),
        (
            Some(&cert),
            Some(&torn),
            ":4:7",
            "key.pem contains a private key of a type that is not supported",
            "BEGIN PRIVATE KEY",
        ),
        (
            Some(&other),
            Some(&key),
            ":4:7",
            "key.pem is not the key of the certificate in",
            "name the key that this certificate was made for",
        ),
    ];
    for (cert, key, place, cause, help) in cases {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("cert.pem", cert), ("key.pem", key)] {
            if let Some(text) = text {
                fs::write(folder.path().join(name), text).unwrap();
            }
        }
        let error = load(folder.path(), TABLE).unwrap_err();
        assert!(error.contains(cause) && error.contains(place), "{cause}: {error}");
        assert!(error.split("help: ").nth(1).is_some_and(|told| told.contains(help)), "{cause}: {error}");
        assert!(!error.contains(&secret), "{error}");
    }
}

#[test]
fn both_files_are_needed() {
    let folder = tempfile::tempdir().unwrap();
    for (table, missing) in
        [("[tls]\n", "cert"), ("[tls]\ncert = \"cert.pem\"\n", "key"), ("[tls]\nkey = \"key.pem\"\n", "cert")]
    {
        let error = load(folder.path(), &format!("origin = \"http://127.0.0.1:1\"\n{table}")).unwrap_err();
        assert!(error.contains(&format!("[tls] needs both `cert` and `key`, and `{missing}` is missing")), "{error}");
    }
    let error = load(folder.path(), &TABLE.replace("key.pem", "")).unwrap_err();
    assert!(error.contains("the path is empty"), "{error}");
}
