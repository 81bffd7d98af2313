//! Cache-Status: what the cache did with a request, for people and programs.

use std::fmt::{self, Write};

use http::HeaderMap;
use http::header::{CACHE_STATUS, HeaderValue};

use super::detail::Detail;

/// How this cache is called in Cache-Status.
const NAME: &str = "aside";

/// Room for every parameter at its longest: a test fills it.
const LONGEST: usize = 160;

/// A structured field has no integer of more than fifteen digits (RFC 9651 section 3.3.1).
const GREATEST_INTEGER: i64 = 999_999_999_999_999;

/// Why a request went on to the origin.
///
/// Source: RFC 9211 section 2.2
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forward {
    /// The cache was configured not to handle it.
    Bypass,
    /// The method's semantics require it.
    Method,
    /// Nothing is stored under the URI.
    UriMiss,
    /// Something is stored under the URI, but nothing that these request fields select.
    VaryMiss,
    /// Nothing stored could be used; which of the two is not known.
    Miss,
    /// What is stored could be used, but the request asked for an answer of the origin.
    Request,
    /// What is stored is stale.
    Stale,
    /// Only a part of the answer is stored.
    Partial,
}

impl Forward {
    /// Every one, in the order of their declaration.
    pub const ALL: &'static [Self] = &[
        Self::Bypass,
        Self::Method,
        Self::UriMiss,
        Self::VaryMiss,
        Self::Miss,
        Self::Request,
        Self::Stale,
        Self::Partial,
    ];

    /// The value of the `fwd` parameter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

/// One member of Cache-Status: ours.
///
/// `hit` and `forward` exclude each other. Displayed as the member's text: `aside; hit; ttl=3590`.
///
/// Source: RFC 9211 section 2
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStatus {
    /// The answer came from the store without asking the origin.
    pub hit: bool,
    /// Why the origin was asked.
    pub forward: Option<Forward>,
    /// The status the origin answered with.
    pub forward_status: Option<u16>,
    /// Seconds until the answer is stale, negative when it is stale already.
    pub ttl: Option<i64>,
    /// The origin's answer was stored.
    pub stored: bool,
    /// The request waited for the fetch of another one.
    pub collapsed: bool,
    /// The reason behind it all.
    pub detail: Option<Detail>,
}

impl CacheStatus {
    /// The member as a field value, made in one allocation of its size.
    pub fn to_value(&self) -> HeaderValue {
        let mut line = Line { bytes: [0; LONGEST], filled: 0 };
        let written = self.render(&mut line).ok().and_then(|()| line.bytes.get(..line.filled));
        written.and_then(|bytes| HeaderValue::from_bytes(bytes).ok()).unwrap_or_else(|| HeaderValue::from_static(NAME))
    }

    /// Appends the member as a line of its own, so that it comes after those of caches closer to the origin.
    ///
    /// Source: RFC 9211 section 2
    pub fn append_to(&self, fields: &mut HeaderMap) {
        fields.append(CACHE_STATUS, self.to_value());
    }

    /// Writes the member's text.
    pub fn render(&self, out: &mut impl Write) -> fmt::Result {
        out.write_str(NAME)?;
        if self.hit {
            out.write_str("; hit")?;
        }
        if let Some(forward) = self.forward {
            out.write_str("; fwd=")?;
            out.write_str(forward.as_str())?;
        }
        if let Some(status) = self.forward_status {
            write!(out, "; fwd-status={status}")?;
        }
        if let Some(ttl) = self.ttl {
            write!(out, "; ttl={}", ttl.clamp(-GREATEST_INTEGER, GREATEST_INTEGER))?;
        }
        if self.stored {
            out.write_str("; stored")?;
        }
        if self.collapsed {
            out.write_str("; collapsed")?;
        }
        if let Some(detail) = self.detail {
            out.write_str("; detail=")?;
            out.write_str(detail.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.render(out)
    }
}

/// Text on the stack; what does not fit is an error.
struct Line {
    bytes: [u8; LONGEST],
    filled: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.filled + text.len();
        self.bytes.get_mut(self.filled..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.filled = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(forward: Forward) -> CacheStatus {
        CacheStatus { forward: Some(forward), ..Default::default() }
    }

    fn hit(ttl: i64) -> CacheStatus {
        CacheStatus { hit: true, ttl: Some(ttl), ..Default::default() }
    }

    #[test]
    fn the_member_says_what_happened() {
        let miss = forwarded(Forward::UriMiss);
        for (status, text) in [
            (hit(3590), "aside; hit; ttl=3590"),
            (
                CacheStatus { detail: Some(Detail::StaleIfError), ..hit(-5) },
                "aside; hit; ttl=-5; detail=stale-if-error",
            ),
            (
                CacheStatus { forward_status: Some(200), stored: true, ..miss },
                "aside; fwd=uri-miss; fwd-status=200; stored",
            ),
            (CacheStatus { collapsed: true, ..miss }, "aside; fwd=uri-miss; collapsed"),
            (
                CacheStatus { detail: Some(Detail::Authorization), ..forwarded(Forward::Bypass) },
                "aside; fwd=bypass; detail=authorization",
            ),
            (CacheStatus::default(), "aside"),
        ] {
            assert_eq!(status.to_string(), text);
            assert_eq!(status.to_value(), text);
        }
    }

    #[test]
    fn the_longest_member_fits() {
        for &detail in Detail::ALL {
            let status = CacheStatus {
                hit: true,
                forward: Some(Forward::VaryMiss),
                forward_status: Some(u16::MAX),
                ttl: Some(i64::MIN),
                stored: true,
                collapsed: true,
                detail: Some(detail),
            };
            assert_eq!(status.to_value(), status.to_string());
        }
    }

    #[test]
    fn ours_comes_after_the_origins() {
        let mut fields = HeaderMap::new();
        fields.insert(CACHE_STATUS, HeaderValue::from_static("Inner; hit"));
        hit(1).append_to(&mut fields);
        let lines: Vec<_> = fields.get_all(CACHE_STATUS).iter().collect();
        assert_eq!(lines, ["Inner; hit", "aside; hit; ttl=1"]);
    }

    #[test]
    fn every_forward_has_the_name_of_rfc_9211() {
        let all = [
            (Forward::Bypass, "bypass"),
            (Forward::Method, "method"),
            (Forward::UriMiss, "uri-miss"),
            (Forward::VaryMiss, "vary-miss"),
            (Forward::Miss, "miss"),
            (Forward::Request, "request"),
            (Forward::Stale, "stale"),
            (Forward::Partial, "partial"),
        ];
        for (index, (forward, text)) in all.into_iter().enumerate() {
            assert_eq!((forward.as_str(), Forward::ALL[index]), (text, forward));
        }
        assert_eq!(Forward::ALL.len(), all.len());
    }
}
