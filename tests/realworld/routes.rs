//! What a person writes into proxy.toml for the blog: `path` and `ttl` a route, and later a few writes told.

use std::fmt::Write;

/// How the blog's addresses are spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slash {
    Without,
    /// As Django has them.
    Trailing,
}

const PATHS: [&str; 7] = [
    "/user",
    "/tags",
    "/profiles/{name}",
    "/articles",
    "/articles/feed",
    "/articles/{slug}",
    "/articles/{slug}/comments",
];

/// What some of the writes drop. The rest is not told, and drops everything.
pub const NARROWED: &str = r#"
[[write]]
request = ["POST /users/login", "POST /search", "POST /beacon"]
drops = []
[[write]]
request = ["POST /articles/{slug}/favorite", "DELETE /articles/{slug}/favorite"]
drops = ["/articles/{slug}", "/articles", "/articles/feed"]
[[write]]
request = ["POST /articles/{slug}/comments", "DELETE /articles/{slug}/comments/{id}"]
drops = ["/articles/{slug}/comments"]
[[write]]
request = "POST /articles/{slug}/edit"
drops = ["/articles/{slug}", "/articles/{slug}/comments", "/articles", "/articles/feed"]
refused = { status = [302], location = "/login" }
"#;

impl Slash {
    /// A target, written without a trailing slash, in this spelling.
    pub fn spell(self, target: &str) -> String {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let slash = if self == Self::Trailing { "/" } else { "" };
        query.map_or(format!("{path}{slash}"), |query| format!("{path}{slash}?{query}"))
    }

    pub fn other(self) -> Self {
        match self {
            Self::Without => Self::Trailing,
            Self::Trailing => Self::Without,
        }
    }

    /// The routes, each with a further line.
    pub fn routes(self, line: &str) -> String {
        PATHS.iter().fold(String::new(), |mut text, path| {
            let path = self.spell(path);
            writeln!(text, "[[route]]\npath = \"{path}\"\nttl = \"1h\"\nauthorization = \"key\"\n{line}").unwrap();
            text
        })
    }
}
