//! Every parser of field values takes whatever comes, and what has a printer comes out of it as it went in.
//!
//! The input: the lines of one field.

#![no_main]

use aside::fields::{
    CacheControl, EntityTag, EntityTags, Vary, content_length, date_in, delta_seconds, format_http_date, list_members,
    nominated, nominates_end_to_end, parse_http_date, split_list, strip_hop_by_hop, transfer_coding,
};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, DATE, IF_NONE_MATCH, TRANSFER_ENCODING, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

fn fields(name: &HeaderName, data: &[u8]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            fields.append(name, value);
        }
    }
    fields
}

fuzz_target!(|data: &[u8]| {
    let members: Vec<&[u8]> = split_list(data).collect();
    assert!(!members.is_empty() && members.iter().map(|member| member.len()).sum::<usize>() <= data.len());
    let _ = delta_seconds(data);
    let _ = CacheControl::parse(&fields(&CACHE_CONTROL, data));
    let _ = CacheControl::of_response(&fields(&HeaderName::from_static("cdn-cache-control"), data));
    let _ = Vary::of(&fields(&VARY, data));
    let _ = date_in(&fields(&DATE, data), &DATE);
    let _ = transfer_coding(&fields(&TRANSFER_ENCODING, data));

    let lengths = fields(&CONTENT_LENGTH, data);
    if let Ok(Some(length)) = content_length(&lengths) {
        let printed = fields(&CONTENT_LENGTH, length.to_string().as_bytes());
        assert_eq!(content_length(&printed), Ok(Some(length)));
    }

    if let Some(tag) = EntityTag::parse(data) {
        assert_eq!(EntityTag::parse(tag.to_string().as_bytes()), Some(tag.clone()));
    }
    let tags = fields(&IF_NONE_MATCH, data);
    if let (Some(tags), Some(tag)) = (EntityTags::of(&tags, &IF_NONE_MATCH), EntityTag::parse(b"\"a\"")) {
        let _ = tags.weakly_contain(&tag);
    }

    let mut connection = fields(&CONNECTION, data);
    // Connection may name itself; put in once more it would name nothing else.
    for name in nominated(&connection).into_iter().filter(|name| name != CONNECTION) {
        connection.insert(name, HeaderValue::from_static("x"));
    }
    let _ = nominates_end_to_end(&connection);
    let _ = list_members(&connection, &CONNECTION).count();
    strip_hop_by_hop(&mut connection);
    assert!(connection.is_empty(), "{connection:?}");

    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(at) = parse_http_date(text) {
        let printed = format_http_date(at);
        assert_eq!(parse_http_date(&printed), Some(at), "{printed}");
    }
});
