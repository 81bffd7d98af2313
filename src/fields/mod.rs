//! Header fields, text to values and back.
//!
//! Pure: no I/O, no clock, nothing decided. What another party wrote is read without trust: nothing here panics,
//! and a value that two parsers could read differently is read in the way that caches less.

mod bearer;
mod cache_control;
mod cache_status;
mod connection;
mod date;
mod detail;
mod entity_tag;
mod framing;
mod groups;
mod host;
mod list;
mod media_type;
mod negotiation;
mod range;
mod trace;
mod visible;

pub use bearer::{BearerToken, SHORTEST_TOKEN};
pub use cache_control::{CDN_CACHE_CONTROL, CacheControl, MAX_DELTA_SECONDS, delta_seconds};
pub use cache_status::{CacheStatus, Forward};
pub use connection::{nominated, nominates_end_to_end, strip_hop_by_hop};
pub use date::{date_in, date_time, format_http_date, parse_http_date};
pub use detail::Detail;
pub use entity_tag::{EntityTag, EntityTags, restore_entity_tags, weaken_entity_tag};
pub use framing::{
    BadLength, TransferCoding, announces_body, content_length, decimal, is_bodiless, response_fault, transfer_coding,
};
pub use groups::{CACHE_GROUP_INVALIDATION, CACHE_GROUPS, cache_groups, cache_tags, drop_cache_tags};
pub use host::{HostName, is_host};
pub use list::{list_members, split_list};
pub use media_type::{MediaType, is_plain_json, media_type};
pub use negotiation::{AcceptEncoding, ContentCoding, Vary, is_encoded, media_type_weight, preferences};
pub use range::{ByteRange, ContentRange};
pub use trace::{TRACEPARENT, TraceParent};
pub use visible::{Notation, visible, visible_lines};

/// Fields from literals, for the unit tests of every room.
#[cfg(test)]
pub(crate) mod literal {
    use http::{HeaderMap, HeaderName, HeaderValue};

    /// These lines in this order, each a name and a value.
    pub(crate) fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    /// One field with these lines.
    pub(crate) fn field(name: &HeaderName, lines: &[impl AsRef<[u8]>]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_bytes(line.as_ref()).unwrap())).collect()
    }
}
