//! A read as the rules see it, and why it may go past the cache.

use http::HeaderMap;
use http::uri::PathAndQuery;

use super::hosts::KeyedHost;
use crate::fields::Detail;

/// A read as the rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// The raw path, and the raw query where there is one.
    pub target: &'a PathAndQuery,
    /// The request's fields.
    pub fields: &'a HeaderMap,
    /// Whom it is for, where that is part of the key.
    pub host: Option<KeyedHost<'a>>,
    /// Whether it was asked by https: the origin is told so, and an answer may have links of that scheme.
    pub secure: bool,
}

impl<'a> Read<'a> {
    /// The raw path.
    pub fn path(&self) -> &'a str {
        self.target.path()
    }

    /// The raw query without its `?`, empty where there is none.
    pub fn query(&self) -> &'a str {
        self.target.query().unwrap_or_default()
    }
}

/// Why a read is neither looked up nor stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bypass(pub Detail);
