//! CDN-Cache-Control: what an origin says to the shared caches in front of it, and to nobody else.

use http::HeaderMap;
use http::header::HeaderName;
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use super::cache_control::{CacheControl, MAX_DELTA_SECONDS};

/// The targeted field that a reverse proxy counts itself among the targets of.
///
/// Source: RFC 9213 section 3
pub const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

impl CacheControl {
    /// What a response says to a shared cache: its CDN-Cache-Control where that counts, else its Cache-Control.
    ///
    /// Source: RFC 9213 section 2.2
    pub fn of_response(fields: &HeaderMap) -> Self {
        targeted(fields).unwrap_or_else(|| Self::parse(fields))
    }
}

/// The directives of CDN-Cache-Control; `None` when it is absent, empty or malformed, so that Cache-Control counts.
///
/// It is a dictionary of structured fields, read strictly: a key in capitals, a number in quotes or a stray character
/// makes all of it malformed. Where it counts, Cache-Control and Expires do not.
///
/// Source: RFC 9213 section 2.1
fn targeted(fields: &HeaderMap) -> Option<CacheControl> {
    let lines: Vec<&[u8]> = fields.get_all(&CDN_CACHE_CONTROL).into_iter().map(http::HeaderValue::as_bytes).collect();
    if lines.is_empty() {
        return None;
    }
    let dictionary: Dictionary = Parser::new(&lines.join(&b", "[..])).parse().ok()?;
    if dictionary.is_empty() {
        return None;
    }
    let mut read = CacheControl { targeted: true, ..CacheControl::default() };
    for (key, value) in &dictionary {
        let ListEntry::Item(value) = value else { return None };
        add(&mut read, key.as_str(), &value.bare_item)?;
    }
    Some(read)
}

/// `None` when a directive known here has a value of another type than its own.
fn add(read: &mut CacheControl, directive: &str, value: &BareItem) -> Option<()> {
    match directive {
        "max-age" => read.max_age = Some(seconds(value)?),
        "s-maxage" => read.s_maxage = Some(seconds(value)?),
        "stale-while-revalidate" => read.stale_while_revalidate = Some(seconds(value)?),
        "stale-if-error" => read.stale_if_error = Some(seconds(value)?),
        "no-store" => read.no_store = flag(value)?,
        "no-transform" => read.no_transform = flag(value)?,
        "public" => read.public = flag(value)?,
        "must-revalidate" => read.must_revalidate = flag(value)?,
        "proxy-revalidate" => read.proxy_revalidate = flag(value)?,
        "must-understand" => read.must_understand = flag(value)?,
        // These two may name fields; they are read as if they stood alone, as in Cache-Control.
        "no-cache" => read.no_cache = flag_or_fields(value)?,
        "private" => read.private = flag_or_fields(value)?,
        _ => {}
    }
    Some(())
}

fn seconds(value: &BareItem) -> Option<u64> {
    let BareItem::Integer(seconds) = value else { return None };
    u64::try_from(i64::from(*seconds)).ok().map(|seconds| seconds.min(MAX_DELTA_SECONDS))
}

fn flag(value: &BareItem) -> Option<bool> {
    match value {
        BareItem::Boolean(set) => Some(*set),
        _ => None,
    }
}

fn flag_or_fields(value: &BareItem) -> Option<bool> {
    match value {
        BareItem::String(_) | BareItem::Token(_) => Some(true),
        value => flag(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::field;

    fn read(lines: &[&'static str]) -> Option<CacheControl> {
        targeted(&field(&CDN_CACHE_CONTROL, lines))
    }

    #[test]
    fn its_directives_are_read_over_all_lines() {
        let all = read(&[
            "max-age=1, s-maxage=2, foo, bar=\"x\";y=1",
            "stale-while-revalidate=3, stale-if-error=4, no-store, no-transform, public",
            "must-revalidate, proxy-revalidate, must-understand, no-cache=\"x\", private",
        ]);
        let expected = CacheControl {
            targeted: true,
            max_age: Some(1),
            s_maxage: Some(2),
            stale_while_revalidate: Some(3),
            stale_if_error: Some(4),
            no_store: true,
            no_transform: true,
            public: true,
            must_revalidate: true,
            proxy_revalidate: true,
            must_understand: true,
            no_cache: true,
            private: true,
            ..CacheControl::default()
        };
        assert_eq!(all, Some(expected));
    }

    #[test]
    fn a_large_number_is_cut_and_the_last_of_a_key_counts() {
        assert_eq!(read(&["max-age=99999999999"]).unwrap().max_age, Some(MAX_DELTA_SECONDS));
        assert_eq!(read(&["max-age=1, max-age=5"]).unwrap().max_age, Some(5));
        assert!(!read(&["no-store=?0"]).unwrap().no_store);
    }

    #[test]
    fn what_is_absent_empty_or_malformed_does_not_count() {
        for lines in [
            &[][..],
            &[""],
            &["max-age=10, &&&&&"],
            &["max-age=\"10\""],
            &["max-age=-1"],
            &["max-age=1.5"],
            &["max-age"],
            &["max-age =10"],
            &["MAX-AGE=10"],
            &["max-age=10,"],
            &["no-store=1"],
            &["private=(a b)"],
            &["max-age=10", "x y"],
        ] {
            assert_eq!(read(lines), None, "{lines:?}");
        }
    }
}
