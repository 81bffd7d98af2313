//! Who writes and reads: accounts, tokens, profiles, and who follows whom.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::blog::{Blog, refusal};
use super::call::{Call, Replied, Reply};

/// An account.
#[derive(Debug)]
pub struct Person {
    name: String,
    image: String,
    follows: BTreeSet<usize>,
    /// Raised by logging out everywhere: older tokens are worth nothing.
    session: usize,
}

impl Blog {
    /// The token of a person, by name.
    pub fn token(&self, name: &str) -> Option<String> {
        let id = self.person(name).ok()?;
        Some(format!("{id}.{}", self.people[id].session))
    }

    /// Who looks, by the token.
    pub fn viewer(&self, call: &Call) -> Option<usize> {
        let (id, session) = call.token.as_deref()?.split_once('.')?;
        let id: usize = id.parse().ok()?;
        (self.people.get(id)?.session.to_string() == session).then_some(id)
    }

    /// Who looks, or a 401.
    pub fn must_be_known(&self, call: &Call) -> Result<usize, Reply> {
        self.viewer(call).ok_or_else(|| refusal(401, "log in first"))
    }

    /// The number of a person, or a 404.
    pub fn person(&self, name: &str) -> Result<usize, Reply> {
        self.people.iter().position(|person| person.name == name).ok_or_else(|| refusal(404, "nobody of this name"))
    }

    pub fn is_following(&self, viewer: Option<usize>, whom: usize) -> bool {
        viewer.is_some_and(|viewer| self.people[viewer].follows.contains(&whom))
    }

    /// A person as others see them: whether they follow them is the viewer's own.
    pub fn shown_person(&self, viewer: Option<usize>, id: usize) -> Value {
        let Person { name, image, .. } = &self.people[id];
        json!({ "name": name, "image": image, "following": self.is_following(viewer, id) })
    }

    pub fn register(&mut self, call: &Call) -> Replied {
        let name = call.text("name").ok_or_else(|| refusal(422, "a name is needed"))?.to_owned();
        if self.person(&name).is_ok() {
            return Err(refusal(422, "this name is taken"));
        }
        self.people.push(Person { name, image: String::new(), follows: BTreeSet::new(), session: 0 });
        Ok(Reply::of(201, self.account(self.people.len() - 1)))
    }

    /// Gives out the token: it changes nothing.
    pub fn log_in(&self, call: &Call) -> Replied {
        let id = self.person(call.text("name").unwrap_or_default())?;
        Ok(Reply::ok(self.account(id)))
    }

    pub fn log_out_everywhere(&mut self, call: &Call) -> Replied {
        let id = self.must_be_known(call)?;
        self.people[id].session += 1;
        Ok(Reply::empty(204))
    }

    pub fn me(&self, call: &Call) -> Replied {
        Ok(Reply::ok(self.account(self.must_be_known(call)?)))
    }

    pub fn change_me(&mut self, call: &Call) -> Replied {
        let id = self.must_be_known(call)?;
        if let Some(name) = call.text("name") {
            name.clone_into(&mut self.people[id].name);
        }
        if let Some(image) = call.text("image") {
            image.clone_into(&mut self.people[id].image);
        }
        Ok(Reply::ok(self.account(id)))
    }

    pub fn profile(&self, call: &Call, name: &str) -> Replied {
        Ok(Reply::ok(self.shown_person(self.viewer(call), self.person(name)?)))
    }

    pub fn follow(&mut self, call: &Call, name: &str, yes: bool) -> Replied {
        let (viewer, whom) = (self.must_be_known(call)?, self.person(name)?);
        let follows = &mut self.people[viewer].follows;
        if yes {
            follows.insert(whom);
        } else {
            follows.remove(&whom);
        }
        Ok(Reply::ok(self.shown_person(Some(viewer), whom)))
    }

    fn account(&self, id: usize) -> Value {
        let Person { name, image, session, .. } = &self.people[id];
        json!({ "name": name, "image": image, "token": format!("{id}.{session}") })
    }
}
