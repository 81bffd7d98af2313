//! Write policies: what a write does to the entry it writes (`[route.write]`).

use http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};

use super::pattern::{JsonTemplate, RequestPattern};
use super::read::{Found, find_parameter};

/// Where a write goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteTarget {
    /// The origin answers first; on success the entry is dropped and filled again.
    Through,
    /// The origin only; the entry is dropped, and reads of it are not stored until a `through` write.
    Around,
    /// The cache only: the proxy answers and the origin never sees the write. The data lives as long as the cache.
    Cache,
}

/// How a write chooses its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The same for every write.
    Always(WriteTarget),
    /// By a query parameter.
    ByQuery {
        /// The parameter's name.
        parameter: String,
        /// Its value where the write has none.
        default: String,
        /// What each value means.
        targets: Vec<(String, WriteTarget)>,
    },
}

impl Selection {
    /// The target of a write with this raw query, and the text that chose it; `None` for a value the table does not
    /// have: such a write is forwarded as if there were no policy.
    pub fn choose<'a>(&'a self, query: &'a str) -> Option<(WriteTarget, std::borrow::Cow<'a, str>)> {
        match self {
            Self::Always(target) => Some((*target, "".into())),
            Self::ByQuery { parameter, default, targets } => {
                let value = match find_parameter(query, parameter) {
                    Found::Absent => default.as_str().into(),
                    Found::Once(value) => value,
                    Found::Ambiguous => return None,
                };
                let (_, target) = targets.iter().find(|(name, _)| *name == value)?;
                Some((*target, value))
            }
        }
    }

    /// The query parameter that chooses, if one does.
    pub fn parameter(&self) -> Option<&str> {
        match self {
            Self::Always(_) => None,
            Self::ByQuery { parameter, .. } => Some(parameter),
        }
    }

    /// Whether any write may choose this target.
    pub fn offers(&self, target: WriteTarget) -> bool {
        match self {
            Self::Always(always) => *always == target,
            Self::ByQuery { targets, .. } => targets.iter().any(|(_, known)| *known == target),
        }
    }
}

/// What the proxy answers to a write that goes to the cache only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: http::StatusCode,
    /// The JSON body.
    pub json: JsonTemplate,
}

/// Whose word is enough for a write that the origin never sees: nobody else checks who it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheBy {
    /// Anybody's.
    Anyone,
    /// Whoever sends this field with a value of this hash ([`credential_hash`]).
    Credential(HeaderName, [u8; 32]),
}

impl CacheBy {
    /// Whether a request may write to the cache.
    pub fn admits(&self, fields: &HeaderMap) -> bool {
        match self {
            Self::Anyone => true,
            // Hashes are compared, so the time it takes tells nothing of the value.
            Self::Credential(name, hash) => {
                let mut lines = fields.get_all(name).iter();
                let (Some(only), None) = (lines.next(), lines.next()) else { return false };
                credential_hash(only.as_bytes()) == *hash
            }
        }
    }
}

/// What is kept of a credential: SHA-256 of its bytes.
pub fn credential_hash(value: &[u8]) -> [u8; 32] {
    Sha256::digest(value).into()
}

/// A route's write policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WritePolicy {
    /// The writes it speaks of.
    pub request: RequestPattern,
    /// How each chooses its target.
    pub select: Selection,
    /// What a later GET answers; without it a GET fetches the entry after the write.
    pub entry: Option<JsonTemplate>,
    /// The answer to a write that goes to the cache only.
    pub reply: Option<Reply>,
    /// Whose writes go to the cache only; `None` where none do.
    pub cache_by: Option<CacheBy>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oracle_seeds_targets() {
        let select = Selection::ByQuery {
            parameter: "target".into(),
            default: "both".into(),
            targets: vec![
                ("both".into(), WriteTarget::Through),
                ("redis".into(), WriteTarget::Cache),
                ("oracle".into(), WriteTarget::Around),
            ],
        };
        assert_eq!(select.choose("").map(|(target, _)| target), Some(WriteTarget::Through));
        assert_eq!(select.choose("target=redis"), Some((WriteTarget::Cache, "redis".into())));
        assert_eq!(select.choose("target=oracle&x=1").map(|(target, _)| target), Some(WriteTarget::Around));
        assert_eq!(select.choose("target=mongo"), None);
        assert_eq!(select.choose("target=redis&target=both"), None);
    }
}
