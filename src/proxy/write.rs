//! A write: ingress -> forward -> invalidate -> deliver.
//!
//! The answer of a write is sent only after everything it made old has been made old in the store. The whole of it runs
//! in a task of its own: a client who leaves after the origin has committed must not take the invalidation along.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{CONTENT_LOCATION, LOCATION};
use serde_json::Value;
use tokio::sync::oneshot;
use url::Url;

use super::Proxy;
use super::answer::Answer;
use super::error::{Refusal, no_answer};
use super::ingress::Admitted;
use super::pass::passed;
use super::post::names_another;
use super::words::{Named, Words, says_json};
use super::write_policy::Chosen;
use crate::body::Body;
use crate::fields::Forward;
use crate::origin::OriginError;
use crate::policy::named_on_origin;
use crate::rules::{Hosts, WriteTarget, read_json, write_paths};

impl Proxy {
    /// Forwards a write and answers it once the store knows. Dropping the future stops nothing.
    pub(super) async fn write(self: &Arc<Self>, request: Admitted) -> Answer {
        if !self.store.admits_writes() {
            return Refusal::StoreDown.answer();
        }
        let (tell, told) = oneshot::channel();
        self.tasks.spawn(Arc::clone(self).carry_out(request, tell));
        told.await
            .unwrap_or_else(|_| no_answer(&OriginError::Broken("the write was given up".to_owned()), Forward::Method))
    }

    async fn carry_out(self: Arc<Self>, mut request: Admitted, tell: oneshot::Sender<Answer>) {
        let answer = match self.take_body(&mut request).await {
            Ok(body) => self.write_body(request, body).await,
            Err(refusal) => refusal.answer(),
        };
        let _ = tell.send(answer);
    }

    async fn write_body(self: &Arc<Self>, request: Admitted, body: Body) -> Answer {
        let routes = &self.shared.settings.rules.routes;
        let stores_post = self.shared.settings.rules.unrouted.as_ref().is_some_and(|choices| choices.store_post);
        let words = Words::of(&request, &body, routes, stores_post);
        match Chosen::by(&request, &words, routes) {
            Some(chosen) if chosen.target == WriteTarget::Cache => self.write_to_cache(&request, &words, &chosen).await,
            Some(chosen) if !words.may_be_another() => self.write_by_policy(&request, body, words, &chosen).await,
            _ => self.write_through(request, body, words).await,
        }
    }

    /// The plain way: forward, make old what the rules say, answer.
    async fn write_through(self: &Arc<Self>, request: Admitted, body: Body, mut words: Words) -> Answer {
        let read_response = self.shared.settings.rules.routes.reads_response_to(&words.write(&request));
        let before = if read_response { Err(None) } else { self.before_post(&request, &words).await };
        let answered = match self.forward_write(&request, body, &words).await {
            Ok(answered) => answered,
            Err(answer) => return answer,
        };
        let status = answered.head.status;
        words.hear(&request, status, &answered.head.headers, self.named_by(&request, &answered.head.headers));
        let not_kept = match before {
            Ok(before) => match names_another(&request, &answered) {
                None => return self.keep_post(&request, answered, &words, before).await,
                another => another,
            },
            Err(detail) => detail,
        };
        // What a view says that failed is nothing to go by.
        let answer = passed(answered, Forward::Method, not_kept);
        let (answer, response) = self.read_response(answer, read_response && !status.is_server_error()).await;
        words.hear_body(response);
        self.made_old(&words.write(&request), answer).await
    }

    /// What the answer to a write names on this origin.
    pub(super) fn named_by(&self, request: &Admitted, answer: &HeaderMap) -> Named {
        if !answer.contains_key(LOCATION) && !answer.contains_key(CONTENT_LOCATION) {
            return Named::default();
        }
        let scheme = if request.client.secure { "https" } else { "http" };
        let known =
            self.shared.settings.rules.hosts.iter().flat_map(Hosts::iter).map(|host| format!("{scheme}://{host}"));
        let urls = self.origin.settings().urls().into_iter().chain(known);
        let own: Vec<Url> = urls.filter_map(|url| Url::parse(&url).ok()).collect();
        let named =
            |fields: &HeaderMap| named_on_origin(fields, (scheme, request.host_text(), request.target.as_str()), &own);
        let locations = answer.get_all(LOCATION).iter().map(|value| (LOCATION, value.clone()));
        let mut locations = named(&locations.collect()).into_iter();
        Named {
            location: locations.next().filter(|_| locations.next().is_none()),
            paths: named(answer).iter().flat_map(|path| write_paths(path)).collect(),
        }
    }

    /// The answer, with its JSON where the rules want to see it.
    async fn read_response(&self, answer: Answer, wanted: bool) -> (Answer, Option<Value>) {
        // What says to be something else than JSON may be read as something else.
        let wanted = wanted && says_json(answer.response.headers());
        if !wanted {
            return (answer, None);
        }
        let Answer { response, cache_status, .. } = answer;
        let (head, body) = response.into_parts();
        let (body, json) = match body {
            Body::Stream(stream) => {
                match stream.collect(self.shared.settings.buffer_body, self.shared.answers.charge(0)).await {
                    Ok(bytes) => {
                        let json = read_json(&bytes);
                        (Body::full(bytes), json)
                    }
                    Err(body) => (body, None),
                }
            }
            other => (other, None),
        };
        (Answer::new(http::Response::from_parts(head, body), cache_status), json)
    }
}
