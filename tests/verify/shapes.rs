//! Shapes of writes, by the routes and rules of a file.

use aside::config::Config;
use aside::rules::{Document, Overriding, Write, WriteAnswer, write_paths};
use aside::verify::Shape;
use http::Method;

fn values_of(shape: &Shape) -> String {
    shape.values.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("/")
}

fn shape(file: &str, method: &str, path: &str, overriding: &[Method]) -> Shape {
    let text = format!("origin = \"http://127.0.0.1:1\"\n{file}");
    let config = Config::from_text("test.toml", &text, |_| None).unwrap();
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let overriding = Overriding { methods: overriding.to_vec(), unknown: false };
    let write = Write {
        method: &method,
        overriding: &overriding,
        path,
        paths: &write_paths(path),
        query: "",
        body: Document::Absent,
        answer: WriteAnswer::default(),
    };
    Shape::of(&config.proxy.rules.routes, &write)
}

const ROUTES: &str = "[[route]]\npath = \"/articles\"\nttl = \"1h\"\n\
                      [[route]]\npath = \"/articles/{slug}\"\nttl = \"1h\"\n\
                      [[route]]\npath = \"/static/{*rest}\"\nttl = \"1h\"\n\
                      [[route]]\npath = \"/shops/{shop}/\"\nttl = \"1h\"\n";

#[test]
fn what_lies_below_a_route_has_its_words() {
    for (path, text, values) in [
        ("/articles/x/favorite", "/articles/{slug}/favorite", "x"),
        ("/articles/x/comments/17", "/articles/{slug}/comments/{id}", "x/17"),
        ("/articles/x/comments/17/", "/articles/{slug}/comments/{id}", "x/17"),
        ("/articles/a%20b", "/articles/{slug}", "a b"),
        ("/articles", "/articles", ""),
        ("/shops/7/open", "/shops/{shop}/open", "7"),
        ("/login", "/login", ""),
        (
            "/users/0b5c1b4e-aaaa-4bbb-8ccc-0123456789ab/7",
            "/users/{id}/{id2}",
            "0b5c1b4e-aaaa-4bbb-8ccc-0123456789ab/7",
        ),
        ("/v1/login", "/v1/login", ""),
        ("/static/a/b", "/static/a/b", ""),
        ("/", "/", ""),
    ] {
        let shape = shape(ROUTES, "POST", path, &[]);
        assert_eq!((shape.text.as_str(), &*values_of(&shape)), (&*format!("POST {text}"), values), "{path}");
        assert!(shape.is_plain && !shape.is_said);
    }
}

#[test]
fn what_the_file_names_has_its_name_there() {
    let file = format!(
        "{ROUTES}[[write]]\nrequest = \"POST /articles/{{article}}/like\"\ndrops = []\n\
         [[route]]\npath = \"/x\"\nttl = \"1h\"\ninvalidated_by = [\"* /stock/{{place}}/{{item}}\"]\n"
    );
    let said = shape(&file, "POST", "/articles/a/like", &[]);
    assert_eq!((said.text.as_str(), said.is_said), ("POST /articles/{article}/like", true));
    let listed = shape(&file, "PUT", "/stock/here/there", &[]);
    assert_eq!((listed.text.as_str(), listed.is_said), ("PUT /stock/{place}/{item}", false));
}

#[test]
fn what_may_be_meant_otherwise_is_not_plain() {
    assert!(!shape(ROUTES, "POST", "/articles/x", &[Method::DELETE]).is_plain);
    assert!(!shape(ROUTES, "POST", "/articles//x", &[]).is_plain);
    assert!(!shape(ROUTES, "LIKE", "/articles/x", &[]).is_plain, "no rule can name it");
}
