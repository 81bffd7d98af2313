//! The kinds of write: what they do, how they are spelt, and how they are answered.

use super::routes::Slash;
use super::support::client::{Answer, Client};

/// What becomes of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Some are others now.
    Changes,
    /// None is, but the answer does not say so.
    Idle,
    /// None is, and the request or its answer says so: nothing may be dropped.
    Refused,
}
use Effect::{Changes, Idle, Refused};

/// One write of the story. `target` is spelt without a trailing slash; `other` has it spelt unlike the routes.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    pub what: &'static str,
    pub by: &'static str,
    method: &'static str,
    target: &'static str,
    field: Option<(&'static str, &'static str)>,
    body: &'static str,
    pub status: u16,
    pub effect: Effect,
    other: bool,
}

const fn write(what: &'static str, by: &'static str, method: &'static str, target: &'static str) -> Write {
    Write { what, by, method, target, field: None, body: "", status: 200, effect: Changes, other: false }
}

impl Write {
    const fn body(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    const fn field(self, name: &'static str, value: &'static str) -> Self {
        Self { field: Some((name, value)), ..self }
    }

    const fn answered(self, status: u16) -> Self {
        Self { status, ..self }
    }

    const fn idle(self) -> Self {
        Self { effect: Idle, ..self }
    }

    const fn refused(self, status: u16) -> Self {
        Self { effect: Refused, status, ..self }
    }

    const fn spelt_otherwise(self) -> Self {
        Self { other: true, ..self }
    }

    /// Sends it as the one who writes.
    pub async fn send(&self, client: &Client, slash: Slash, token: Option<&str>) -> Answer {
        let slash = if self.other { slash.other() } else { slash };
        send(client, token, (self.method, &slash.spell(self.target)), self.field, self.body).await
    }
}

/// Sends a write with a body of JSON or else of a form.
pub async fn send(
    client: &Client,
    token: Option<&str>,
    (method, target): (&str, &str),
    field: Option<(&str, &str)>,
    body: &str,
) -> Answer {
    let token = token.map(|token| format!("Token {token}"));
    let mut fields: Vec<(&str, &str)> = field.into_iter().collect();
    fields.extend(token.iter().map(|token| ("authorization", token.as_str())));
    if body.starts_with('{') {
        fields.push(("content-type", "application/json"));
    } else if !body.is_empty() {
        fields.push(("content-type", "application/x-www-form-urlencoded"));
    }
    client.send(method, target, &fields, body).await
}

/// The story, in an order that has everything there when it is needed.
pub const STORY: [Write; 40] = [
    write("an account is opened", "", "POST", "/users").body(r#"{"name": "dora"}"#).answered(201),
    write("a login", "", "POST", "/users/login").body(r#"{"name": "ben"}"#).idle(),
    write("a new image", "ann", "PUT", "/user").body(r#"{"image": "/ann.png"}"#),
    write("a new name", "cleo", "PUT", "/user").body(r#"{"name": "clio"}"#),
    write("a follow", "ann", "POST", "/profiles/clio/follow"),
    write("an unfollow", "ann", "DELETE", "/profiles/ben/follow"),
    write("an article", "ben", "POST", "/articles").body(r#"{"title": "Spring soup", "tags": ["tea"]}"#).answered(201),
    write("a new title and address", "clio", "PUT", "/articles/rain").body(r#"{"title": "Heavy rain"}"#),
    write("a patch", "clio", "PATCH", "/articles/heavy-rain").body(r#"{"text": "It pours."}"#),
    write("a favourite", "ann", "POST", "/articles/slow-bread/favorite"),
    write("a favourite taken back", "ben", "DELETE", "/articles/night-trains/favorite"),
    write("a comment", "ben", "POST", "/articles/heavy-rain/comments").body(r#"{"body": "Indeed."}"#).answered(201),
    write("a comment deleted", "ann", "DELETE", "/articles/slow-bread/comments/8").answered(204),
    write("a draft published, other slash", "ann", "PUT", "/articles/unfinished/publish").spelt_otherwise(),
    write("a comment, other slash", "ann", "POST", "/articles/slow-bread/comments")
        .body(r#"{"body": "Again: how slow?"}"#)
        .answered(201)
        .spelt_otherwise(),
    write("a favourite taken back, other slash", "ann", "DELETE", "/articles/slow-bread/favorite").spelt_otherwise(),
    write("a favourite, its address spelt with an octet", "ben", "POST", "/articles/slow%2Dbread/favorite"),
    write("PATCH by a field", "ann", "POST", "/articles/night-trains")
        .field("x-http-method-override", "PATCH")
        .body(r#"{"text": "They are back."}"#),
    write("comments closed, PUT by a field", "ann", "POST", "/articles/night-trains/comments")
        .field("x-http-method-override", "PUT")
        .body(r#"{"open": false}"#),
    write("comments open again, PUT by a query", "ann", "POST", "/articles/night-trains/comments?_method=PUT")
        .body(r#"{"open": true}"#),
    write("comments closed, PUT by a member of JSON", "ann", "POST", "/articles/night-trains/comments")
        .body(r#"{"open": false, "_method": "PUT"}"#),
    write("comments open again, by PUT", "ann", "PUT", "/articles/night-trains/comments").body(r#"{"open": true}"#),
    write("DELETE by a form", "ben", "POST", "/articles/slow-bread/favorite").body("_method=DELETE"),
    write("PUT by a query", "ben", "POST", "/articles/old-maps?_method=PUT").body(r#"{"title": "Older maps"}"#),
    write("a method of its own", "ben", "LIKE", "/articles/night-trains"),
    write("an article without a title", "ben", "POST", "/articles").body("{}").refused(422),
    write("a favourite of nobody's", "", "POST", "/articles/slow-bread/favorite").refused(401),
    write("a stranger's article deleted", "ben", "DELETE", "/articles/tea-and-rust").refused(403),
    write("a form, answered 303", "ann", "POST", "/articles/tea-and-rust/edit").body("text=Two+sugars.").answered(303),
    write("a form of nobody's, sent to the login", "", "POST", "/articles/tea-and-rust/edit")
        .body("text=Three+sugars.")
        .answered(302)
        .idle(),
    write("a comment that is committed and then fails", "ben", "POST", "/articles/night-trains/comments")
        .body(r#"{"body": "All aboard.", "tell_everybody": true}"#)
        .answered(500),
    write("a write sent elsewhere", "ann", "PUT", "/article/night-trains").body(r#"{"text": "Gone."}"#).refused(308),
    write("a QUERY, which is no write", "", "QUERY", "/articles").refused(200),
    write("a beacon", "ann", "POST", "/beacon").answered(204).idle(),
    write("a search", "", "POST", "/search").body(r#"{"word": "tea"}"#).idle(),
    write("several deleted by their tag", "ben", "DELETE", "/articles?tag=maps").answered(204),
    write("several deleted by a list", "ann", "POST", "/articles/bulk-delete").body(r#"{"slugs": ["night-trains"]}"#),
    write("an article deleted", "ben", "DELETE", "/articles/slow-bread").answered(204),
    write("a name and an image at once", "clio", "PATCH", "/user").body(r#"{"name": "cleo", "image": "/cleo.png"}"#),
    write("a logout of all sessions, DELETE by a form", "ben", "POST", "/users/login")
        .body("_method=DELETE")
        .answered(204),
];
