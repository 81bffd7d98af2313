//! Comments on articles.

use serde_json::{Value, json};

use super::blog::{Blog, refusal};
use super::call::{Call, Replied, Reply};

/// A comment.
#[derive(Debug)]
pub struct Comment {
    id: usize,
    author: usize,
    body: String,
}

impl Blog {
    fn shown_comment(&self, viewer: Option<usize>, comment: &Comment) -> Value {
        let Comment { id, author, body } = comment;
        json!({ "id": id, "body": body, "author": self.shown_person(viewer, *author) })
    }

    pub fn comments(&self, call: &Call, slug: &str) -> Replied {
        let viewer = self.viewer(call);
        let at = self.visible(viewer, slug)?;
        let shown = self.articles[at].comments.iter().map(|comment| self.shown_comment(viewer, comment));
        Ok(Reply::ok(json!({ "comments": shown.collect::<Vec<_>>() })))
    }

    pub fn comment(&mut self, call: &Call, slug: &str) -> Replied {
        let author = self.must_be_known(call)?;
        let at = self.visible(Some(author), slug)?;
        if self.articles[at].is_closed {
            return Err(refusal(403, "comments are closed"));
        }
        let body = call.text("body").ok_or_else(|| refusal(422, "a body is needed"))?.to_owned();
        let comment = Comment { id: self.number(), author, body };
        let shown = self.shown_comment(Some(author), &comment);
        self.articles[at].comments.push(comment);
        if call.body["tell_everybody"] == true {
            // It is committed, and what comes after it fails.
            return Err(refusal(500, "no mail could be sent"));
        }
        Ok(Reply::of(201, shown))
    }

    /// Opens or closes the comments on an article of one's own: a mark that all who list it see.
    pub fn open_comments(&mut self, call: &Call, slug: &str) -> Replied {
        let at = self.own(call, slug)?;
        self.articles[at].is_closed = call.body["open"] == false;
        self.comments(call, slug)
    }

    pub fn delete_comment(&mut self, call: &Call, slug: &str, id: &str) -> Replied {
        let viewer = self.must_be_known(call)?;
        let at = self.visible(Some(viewer), slug)?;
        let comments = &mut self.articles[at].comments;
        let found = comments.iter().position(|comment| comment.author == viewer && comment.id.to_string() == id);
        comments.remove(found.ok_or_else(|| refusal(404, "no such comment of yours"))?);
        Ok(Reply::empty(204))
    }

    /// The id of the newest comment on an article.
    pub fn newest_comment(&self, slug: &str) -> Option<usize> {
        let at = self.visible(None, slug).ok()?;
        self.articles[at].comments.last().map(|comment| comment.id)
    }
}
