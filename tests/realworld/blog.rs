//! The origin: a blogging API whose every GET is a function of its state and of who looks.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::articles::Article;
use super::call::{Call, Replied, Reply};
use super::people::Person;
use super::support::origin::{Origin, response};

/// Everything the blog knows.
#[derive(Debug, Default)]
pub struct Blog {
    pub people: Vec<Person>,
    pub articles: Vec<Article>,
    /// The next number for a comment or a time.
    next: usize,
}

impl Blog {
    /// A blog with three people, a few articles and a draft.
    pub fn founded() -> Self {
        let mut blog = Self::default();
        let founding: [(&str, &str, &str); 17] = [
            ("", "POST /users", r#"{"name": "ann"}"#),
            ("", "POST /users", r#"{"name": "ben"}"#),
            ("", "POST /users", r#"{"name": "cleo"}"#),
            ("ann", "POST /articles", r#"{"title": "Tea and rust", "tags": ["tea", "rust"]}"#),
            ("ben", "POST /articles", r#"{"title": "Slow bread", "tags": ["bread"]}"#),
            ("ann", "POST /articles", r#"{"title": "Night trains", "tags": ["travel"]}"#),
            ("cleo", "POST /articles", r#"{"title": "Rain", "tags": ["tea"]}"#),
            ("ben", "POST /articles", r#"{"title": "Old maps", "tags": ["travel", "maps"]}"#),
            ("ann", "POST /articles", r#"{"title": "Unfinished", "tags": ["draft"], "draft": true}"#),
            ("ann", "POST /profiles/ben/follow", ""),
            ("ben", "POST /profiles/cleo/follow", ""),
            ("ben", "POST /articles/tea-and-rust/favorite", ""),
            ("ann", "POST /articles/rain/favorite", ""),
            ("ben", "POST /articles/night-trains/favorite", ""),
            ("ben", "POST /articles/tea-and-rust/comments", r#"{"body": "Milk first?"}"#),
            ("ann", "POST /articles/slow-bread/comments", r#"{"body": "How slow?"}"#),
            ("cleo", "POST /articles/slow-bread/comments", r#"{"body": "Two days."}"#),
        ];
        for (who, request, body) in founding {
            let (method, target) = request.split_once(' ').unwrap();
            let token = blog.token(who);
            let body = serde_json::from_str(body).unwrap_or_default();
            let call = Call { method: method.to_owned(), body, ..Call::get(target, token.as_deref()) };
            let reply = blog.reply(&call);
            assert!(reply.status < 300, "{request}: {reply:?}");
        }
        blog
    }

    /// Starts an origin that is this blog.
    pub async fn serve(self) -> (Arc<Mutex<Self>>, Origin) {
        let blog = Arc::new(Mutex::new(self));
        let served = Arc::clone(&blog);
        let origin = Origin::start(move |asked| {
            let reply = served.lock().unwrap().reply(&Call::of(&asked));
            async move {
                let mut fields = vec![("content-type", "application/json")];
                fields.extend(reply.location.as_deref().map(|location| ("location", location)));
                response(reply.status, &fields, &reply.bytes())
            }
        })
        .await;
        (blog, origin)
    }

    /// What the blog itself says to a GET right now.
    pub fn truth(&mut self, target: &str, token: Option<&str>) -> Reply {
        self.reply(&Call::get(target, token))
    }

    pub fn reply(&mut self, call: &Call) -> Reply {
        self.routed(call).unwrap_or_else(|refusal| refusal)
    }

    /// A number that was never used before.
    pub fn number(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    fn routed(&mut self, call: &Call) -> Replied {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        match (call.method.as_str(), path.as_slice()) {
            ("POST", ["users"]) => self.register(call),
            ("POST", ["users", "login"]) => self.log_in(call),
            ("DELETE", ["users", "login"]) => self.log_out_everywhere(call),
            ("GET", ["user"]) => self.me(call),
            ("PUT" | "PATCH", ["user"]) => self.change_me(call),
            ("GET", ["profiles", name]) => self.profile(call, name),
            ("POST", ["profiles", name, "follow"]) => self.follow(call, name, true),
            ("DELETE", ["profiles", name, "follow"]) => self.follow(call, name, false),
            ("GET", ["tags"]) => Ok(self.tags()),
            ("GET" | "QUERY", ["articles"]) => Ok(self.list(call)),
            ("GET", ["articles", "feed"]) => self.feed(call),
            ("POST", ["articles"]) => self.publish_new(call),
            ("DELETE", ["articles"]) => self.delete_tagged(call),
            ("POST", ["articles", "bulk-delete"]) => self.delete_listed(call),
            ("POST", ["search"]) => Ok(self.search(call)),
            ("POST", ["beacon"]) => Ok(Reply::empty(204)),
            ("PUT", ["article", slug]) => Ok(Reply::go(308, format!("/articles/{slug}"))),
            (method, ["articles", slug, rest @ ..]) => self.of_article(call, method, slug, rest),
            _ => Err(refusal(404, "no such page")),
        }
    }

    fn of_article(&mut self, call: &Call, method: &str, slug: &str, rest: &[&str]) -> Replied {
        match (method, rest) {
            ("GET", []) => self.article(call, slug),
            ("PUT" | "PATCH", []) => self.change_article(call, slug),
            ("DELETE", []) => self.delete_article(call, slug),
            ("PUT", ["publish"]) => self.publish(call, slug),
            ("POST", ["edit"]) if call.is_form => self.edit_by_form(call, slug),
            ("POST", ["favorite"]) | ("LIKE", []) => self.favour(call, slug, true),
            ("DELETE", ["favorite"]) => self.favour(call, slug, false),
            ("GET", ["comments"]) => self.comments(call, slug),
            ("POST", ["comments"]) => self.comment(call, slug),
            ("PUT", ["comments"]) => self.open_comments(call, slug),
            ("DELETE", ["comments", id]) => self.delete_comment(call, slug, id),
            _ => Err(refusal(405, "not this way")),
        }
    }
}

/// A refusal with its reason.
pub fn refusal(status: u16, reason: &str) -> Reply {
    let reason: Value = reason.into();
    Reply::of(status, json!({ "errors": [reason] }))
}
