//! The very `proxy.toml` that is shipped.

use std::sync::Arc;

use aside::rules::Route;

use super::good;

const SHIPPED: &str = include_str!("../../proxy.toml");

/// The file with every commented key set: lines that begin with `#` and no single space are keys, all others prose.
fn uncommented() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(key) if !key.starts_with([' ', '#']) || key.starts_with("    ") => format!("{key}\n"),
        _ => format!("{line}\n"),
    };
    SHIPPED.lines().map(line).collect()
}

#[test]
fn it_is_good_and_has_the_demos_routes() {
    let config = good(SHIPPED);
    let routes: Vec<&str> = config.proxy.rules.routes.iter().map(|route| route.path.as_str()).collect();
    assert_eq!(routes, ["/orders/{page}", "/fruit/{id}", "/active"]);
    assert!(!config.remarks.render(false).contains("warning"));
    for line in &config.route_lines {
        assert_eq!(SHIPPED.lines().nth(line - 1), Some("[[route]]"));
    }
}

#[test]
fn every_commented_key_can_be_set() {
    let text = uncommented();
    assert!(text.contains("\npolicy") || text.contains("\nselect = {"), "{text}");
    let config = good(&text);
    assert_eq!(config.proxy.rules.routes.iter().count(), 5);
    assert!(config.server.tls.is_some());
    assert!(!config.remarks.render(false).contains("warning"), "{}", config.remarks.render(false));
}

#[test]
fn what_a_commented_key_shows_as_its_default_is_the_default() {
    let (as_shipped, all_set) = (good(SHIPPED), good(&uncommented()));
    let settings = |config: &aside::config::Config| {
        let mut server = config.server.clone();
        (server.cores, server.tls) = (0, None);
        let mut origin = config.origin.clone();
        (origin.total_timeout, origin.health) = (None, None);
        let mut store = config.store.clone();
        // There are two more routes, and what is said of writes.
        (store.replicas, store.rules) = (None, 0);
        format!("{server:?} {origin:?} {store:?} {:?} {:?}", config.log, config.proxy.rules.unrouted)
    };
    assert_eq!(settings(&as_shipped), settings(&all_set));
    let three = |config: &aside::config::Config| {
        // What is said of writes is a part of the fingerprint.
        let of_its_own = |route: &Arc<Route>| format!("{:?}", Route { fingerprint: 0, ..Route::clone(route) });
        config.proxy.rules.routes.iter().take(3).map(of_its_own).collect::<Vec<_>>()
    };
    assert_eq!(three(&as_shipped), three(&all_set));
    assert_eq!(as_shipped.proxy.buffer_body, all_set.proxy.buffer_body);
    assert_eq!(as_shipped.proxy.body_rate, all_set.proxy.body_rate);
    assert_eq!(format!("{:?}", as_shipped.proxy.compression), format!("{:?}", all_set.proxy.compression));
    assert_eq!(as_shipped.proxy.max_target, all_set.proxy.max_target);
    assert_eq!(as_shipped.proxy.max_waiters, all_set.proxy.max_waiters);
    assert_eq!(as_shipped.proxy.max_answers, all_set.proxy.max_answers);
    assert_eq!(as_shipped.proxy.max_variants, all_set.proxy.max_variants);
}
