//! Files that cannot be read at all, and what the command line says.

use std::path::Path;

use aside::config::{Config, ConfigError, Overrides};
use aside::telemetry::LogFormat;

fn message(error: &ConfigError) -> String {
    let (finding, place) = error.report().iter().next().unwrap();
    assert!(place.is_none());
    assert!(!finding.help().is_empty());
    finding.message().to_owned()
}

#[test]
fn what_is_no_file_is_told_for_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let load = |path: &Path| message(&Config::load(path, &Overrides::default()).unwrap_err());
    assert!(load(&folder.path().join("none.toml")).contains("cannot be read"));
    assert!(load(folder.path()).contains("is a directory"));
    assert!(load(Path::new("")).contains("is empty"));
    let latin = folder.path().join("latin.toml");
    std::fs::write(&latin, b"# ok\n# caf\xe9\n").unwrap();
    assert!(load(&latin).contains("is not UTF-8: line 2"));
    let huge = folder.path().join("huge.toml");
    std::fs::File::create(&huge).unwrap().set_len(5 << 20).unwrap();
    assert!(load(&huge).contains("is larger than 4MiB"));
}

#[test]
fn no_file_is_needed_for_an_origin() {
    let in_front_of =
        |url: &str| Config::without_file(&Overrides { origin: Some(url.to_owned()), ..Overrides::default() });
    let config = in_front_of("http://127.0.0.1:5000").unwrap();
    assert_eq!(config.origin.urls(), ["http://127.0.0.1:5000"]);
    assert_eq!(config.file, None);
    let error = in_front_of("ftp://a").unwrap_err();
    assert!(message(&error).starts_with("--origin: "), "{error}");
    assert!(error.to_string().contains("write --origin \"http://127.0.0.1:5000\""), "{error}");
}

#[test]
fn the_command_line_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxy.toml");
    std::fs::write(&path, "listen = \"127.0.0.1:1\"\n[log]\nformat = \"text\"\n[origin]\nmax_connections = 7\n")
        .unwrap();
    let overrides = Overrides {
        origin: Some("http://api".to_owned()),
        listen: vec!["127.0.0.1:2".to_owned(), "[::1]:2".to_owned()],
        store: Some("memory://".to_owned()),
        log: Some(LogFormat::Json),
    };
    let config = Config::load(&path, &overrides).unwrap();
    assert_eq!(config.origin.urls(), ["http://api"]);
    assert_eq!(config.origin.max_connections, 7);
    assert_eq!(config.server.listen.len(), 2);
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.file.as_deref(), Some(path.as_path()));
    for (bad, option) in [
        (Overrides { listen: vec!["localhost:1".to_owned()], ..overrides.clone() }, "--listen"),
        (Overrides { store: Some("redis+cluster://h".to_owned()), ..overrides.clone() }, "--store"),
        (Overrides { origin: Some("a".to_owned()), ..overrides.clone() }, "--origin"),
    ] {
        let error = Config::load(&path, &bad).unwrap_err();
        assert!(message(&error).starts_with(option), "{error}");
        assert!(!error.to_string().contains("-->") && !error.to_string().contains("proxy.toml"), "{error}");
        assert_eq!(error.report().to_json()[0]["file"], serde_json::Value::Null);
    }
}
