//! Articles: lists, single ones, what changes them, and the tags they have.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::blog::{Blog, refusal};
use super::call::{Call, Replied, Reply};
use super::comments::Comment;

/// An article, or the draft of one.
#[derive(Debug)]
pub struct Article {
    slug: String,
    title: String,
    text: String,
    author: usize,
    tags: BTreeSet<String>,
    favoured_by: BTreeSet<usize>,
    is_draft: bool,
    changed: usize,
    /// Whether comments are closed.
    pub is_closed: bool,
    pub comments: Vec<Comment>,
}

impl Blog {
    /// The place of an article that this viewer may see, or a 404.
    pub fn visible(&self, viewer: Option<usize>, slug: &str) -> Result<usize, Reply> {
        let seen = |article: &Article| !article.is_draft || viewer == Some(article.author);
        let place = self.articles.iter().position(|article| article.slug == slug && seen(article));
        place.ok_or_else(|| refusal(404, "no such article"))
    }

    /// The place of an article that this viewer has written, or a refusal.
    pub fn own(&self, call: &Call, slug: &str) -> Result<usize, Reply> {
        let viewer = self.must_be_known(call)?;
        let at = self.visible(Some(viewer), slug)?;
        if self.articles[at].author == viewer { Ok(at) } else { Err(refusal(403, "not yours")) }
    }

    fn shown(&self, viewer: Option<usize>, article: &Article) -> Value {
        let Article { slug, title, tags, favoured_by, changed, is_closed, .. } = article;
        json!({
            "slug": slug,
            "title": title,
            "tags": tags,
            "changed": changed,
            "closed": is_closed,
            "favorites": favoured_by.len(),
            "favorited": viewer.is_some_and(|viewer| favoured_by.contains(&viewer)),
            "author": self.shown_person(viewer, article.author),
        })
    }

    fn shown_whole(&self, viewer: Option<usize>, at: usize) -> Reply {
        let mut shown = self.shown(viewer, &self.articles[at]);
        shown["text"] = self.articles[at].text.as_str().into();
        Reply::ok(shown)
    }

    /// Some of the articles, newest first: a page of them and how many there are.
    fn page(&self, call: &Call, wanted: impl Fn(&Article) -> bool) -> Reply {
        let viewer = self.viewer(call);
        let number = |name, default| call.query(name).and_then(|text| text.parse().ok()).unwrap_or(default);
        let found: Vec<&Article> = self.articles.iter().rev().filter(|a| !a.is_draft && wanted(a)).collect();
        let page = found.iter().skip(number("offset", 0)).take(number("limit", 20));
        let shown: Vec<Value> = page.map(|article| self.shown(viewer, article)).collect();
        Reply::ok(json!({ "articles": shown, "count": found.len() }))
    }

    pub fn list(&self, call: &Call) -> Reply {
        let named = |name| call.query(name).map(|text| self.person(text).unwrap_or(usize::MAX));
        let (author, fan) = (named("author"), named("favorited"));
        self.page(call, |article| {
            author.is_none_or(|author| article.author == author)
                && fan.is_none_or(|fan| article.favoured_by.contains(&fan))
                && call.query("tag").is_none_or(|tag| article.tags.contains(tag))
        })
    }

    pub fn feed(&self, call: &Call) -> Replied {
        let viewer = self.must_be_known(call)?;
        Ok(self.page(call, |article| self.is_following(Some(viewer), article.author)))
    }

    /// Reads by POST: it changes nothing.
    pub fn search(&self, call: &Call) -> Reply {
        let word = call.text("word").unwrap_or_default().to_lowercase();
        self.page(call, |article| article.title.to_lowercase().contains(&word))
    }

    pub fn tags(&self) -> Reply {
        let articles = self.articles.iter().filter(|article| !article.is_draft);
        let tags: BTreeSet<&String> = articles.flat_map(|article| &article.tags).collect();
        Reply::ok(json!({ "tags": tags }))
    }

    pub fn article(&self, call: &Call, slug: &str) -> Replied {
        let viewer = self.viewer(call);
        Ok(self.shown_whole(viewer, self.visible(viewer, slug)?))
    }

    pub fn publish_new(&mut self, call: &Call) -> Replied {
        let author = self.must_be_known(call)?;
        let title = call.text("title").ok_or_else(|| refusal(422, "a title is needed"))?.to_owned();
        if self.articles.iter().any(|article| article.slug == slug_of(&title)) {
            return Err(refusal(422, "there is one of this title"));
        }
        let tags = call.body["tags"].as_array().into_iter().flatten();
        let changed = self.number();
        self.articles.push(Article {
            slug: slug_of(&title),
            text: format!("{title}, at length."),
            title,
            author,
            tags: tags.filter_map(Value::as_str).map(str::to_owned).collect(),
            favoured_by: BTreeSet::new(),
            is_draft: call.body["draft"].as_bool().unwrap_or_default(),
            changed,
            is_closed: false,
            comments: Vec::new(),
        });
        Ok(Reply { status: 201, ..self.shown_whole(Some(author), self.articles.len() - 1) })
    }

    pub fn change_article(&mut self, call: &Call, slug: &str) -> Replied {
        let at = self.own(call, slug)?;
        if let Some(title) = call.text("title") {
            if title.is_empty() {
                return Err(refusal(422, "a title is needed"));
            }
            self.articles[at].slug = slug_of(title);
            title.clone_into(&mut self.articles[at].title);
        }
        if let Some(text) = call.text("text") {
            text.clone_into(&mut self.articles[at].text);
        }
        self.articles[at].changed = self.number();
        Ok(self.shown_whole(self.viewer(call), at))
    }

    /// What a page without scripts sends: answered by where to go on, also where nothing was written.
    pub fn edit_by_form(&mut self, call: &Call, slug: &str) -> Replied {
        if self.viewer(call).is_none() {
            return Err(Reply::go(302, "/login".to_owned()));
        }
        self.change_article(call, slug)?;
        Ok(Reply::go(303, format!("/articles/{slug}")))
    }

    pub fn publish(&mut self, call: &Call, slug: &str) -> Replied {
        let at = self.own(call, slug)?;
        self.articles[at].is_draft = false;
        Ok(self.shown_whole(self.viewer(call), at))
    }

    pub fn favour(&mut self, call: &Call, slug: &str, yes: bool) -> Replied {
        let viewer = self.must_be_known(call)?;
        let at = self.visible(Some(viewer), slug)?;
        let favoured_by = &mut self.articles[at].favoured_by;
        if yes {
            favoured_by.insert(viewer);
        } else {
            favoured_by.remove(&viewer);
        }
        Ok(self.shown_whole(Some(viewer), at))
    }

    pub fn delete_article(&mut self, call: &Call, slug: &str) -> Replied {
        let at = self.own(call, slug)?;
        self.articles.remove(at);
        Ok(Reply::empty(204))
    }

    /// Deletes those of one's own that have this tag.
    pub fn delete_tagged(&mut self, call: &Call) -> Replied {
        let author = self.must_be_known(call)?;
        let tag = call.query("tag").ok_or_else(|| refusal(422, "a tag is needed"))?;
        self.articles.retain(|article| article.author != author || !article.tags.contains(tag));
        Ok(Reply::empty(204))
    }

    /// Deletes those of one's own that the body names.
    pub fn delete_listed(&mut self, call: &Call) -> Replied {
        let author = self.must_be_known(call)?;
        let slugs = call.body["slugs"].as_array().ok_or_else(|| refusal(422, "slugs are needed"))?;
        self.articles.retain(|article| article.author != author || !slugs.contains(&article.slug.as_str().into()));
        Ok(Reply::ok(json!({ "left": self.articles.len() })))
    }
}

fn slug_of(title: &str) -> String {
    title.to_lowercase().replace(' ', "-")
}
