//! A read as the rules see it, and why it may go past the cache.

use http::HeaderMap;

use super::hosts::KeyedHost;
use crate::fields::Detail;

/// A read as the rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// The raw path.
    pub path: &'a str,
    /// The raw query, without its `?`.
    pub query: Option<&'a str>,
    /// The request's fields.
    pub fields: &'a HeaderMap,
    /// Whom it is for, where that is part of the key.
    pub host: Option<KeyedHost<'a>>,
    /// Whether it was asked by https: the origin is told so, and an answer may have links of that scheme.
    pub secure: bool,
}

/// Why a read is neither looked up nor stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bypass(pub Detail);
