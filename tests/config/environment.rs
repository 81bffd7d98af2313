//! `${VAR}` in texts.

use aside::config::Config;
use aside::store::StoreUrl;

use super::assert_bad;

#[test]
fn the_environment_is_put_into_texts() {
    let environment = |name: &str| match name {
        "API" => Some("http://api:5000".to_owned()),
        "KIND" => Some("memory".to_owned()),
        _ => None,
    };
    let text = "origin = \"${API}\"\nstore = \"${KIND}://\"\nlisten = [\"${ADDRESS:-127.0.0.1:9}\"]\n\
                [[route]]\npath = \"/a/{id}\"\nkey = \"a$$:{id}\"\n";
    let config = Config::from_text("proxy.toml", text, environment).unwrap();
    assert_eq!(config.origin.urls(), ["http://api:5000"]);
    assert_eq!(config.store.url, StoreUrl::Memory);
    assert_eq!(config.server.listen[0].port(), 9);
    assert_eq!(config.proxy.rules.routes.iter().next().unwrap().key.as_str(), "a$:{id}");
}

#[test]
fn what_is_not_set_is_pointed_at() {
    assert_bad("origin = \"«${API}\"\n", "${API:-");
    assert_bad("origin = \"http://«${API}:5000\"\n", "set API");
    assert_bad("origin = \"http://a\"\nlisten = [\"127.0.0.1:1\", \"«${ADDRESS}\"]\n", "set ADDRESS");
    assert_bad("[[route]]\npath = \"/a\"\nwrite = { request = \"«${X\" }\n", "$$");
}

#[test]
fn a_fault_in_a_text_from_the_environment_marks_the_whole_text() {
    let text = "origin = \"http://a\"\n[[route]]\npath = \"${P}\"\n";
    let error = Config::from_text("proxy.toml", text, |_| Some("/a/{b".to_owned())).unwrap_err();
    let (_, place) = error.report().iter().next().unwrap();
    assert_eq!(place.map(|place| (place.line, place.column)), Some((3, 8)), "{error}");
}
