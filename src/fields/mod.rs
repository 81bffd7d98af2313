//! Header fields, text to values and back.
//!
//! Pure: no I/O, no clock, nothing decided. What another party wrote is read without trust: nothing here panics,
//! and a value that two parsers could read differently is read in the way that caches less.

mod accept_encoding;
mod cache_control;
mod cache_groups;
mod cache_status;
mod cache_tags;
mod connection;
mod date;
mod detail;
mod entity_tag;
mod framing;
mod host;
mod list;
#[cfg(test)]
pub(crate) mod literal;
mod media_type;
mod own_tag;
mod range;
mod targeted;
mod trace;
mod vary;
mod visible;
mod weight;

pub use accept_encoding::{AcceptEncoding, ContentCoding, is_encoded};
pub use cache_control::{CacheControl, MAX_DELTA_SECONDS, delta_seconds};
pub use cache_groups::{CACHE_GROUP_INVALIDATION, CACHE_GROUPS, cache_groups};
pub use cache_status::{CacheStatus, Forward};
pub use cache_tags::{cache_tags, drop_cache_tags};
pub use connection::{nominated, nominates_end_to_end, strip_hop_by_hop};
pub use date::{date_in, format_http_date, parse_http_date};
pub use detail::Detail;
pub use entity_tag::{EntityTag, EntityTags};
pub use framing::{
    BadLength, TransferCoding, announces_body, content_length, digits, is_bodiless, response_fault, transfer_coding,
};
pub use host::{HostName, is_host};
pub use list::{list_members, split_list};
pub use media_type::{MediaType, is_plain_json, media_type};
pub use own_tag::{restore_entity_tags, weaken_entity_tag};
pub use range::{ByteRange, ContentRange};
pub use targeted::CDN_CACHE_CONTROL;
pub use trace::{TRACEPARENT, TraceParent};
pub use vary::Vary;
pub use visible::{Notation, visible, visible_lines};
pub use weight::preferences;
