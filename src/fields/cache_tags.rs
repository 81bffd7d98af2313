//! Surrogate-Key, xkey and Cache-Tag: names that an origin gives its answers, for the caches in front of it.

use http::HeaderMap;
use http::header::HeaderName;

/// The fields that have such names, and what separates these in each.
static FIELDS: [(HeaderName, char); 3] = [
    // Fastly
    (HeaderName::from_static("surrogate-key"), ' '),
    // Varnish
    (HeaderName::from_static("xkey"), ' '),
    // Cloudflare
    (HeaderName::from_static("cache-tag"), ','),
];

/// The names that a response has, each as it stands. A line with bytes outside ASCII has those that it has.
pub fn cache_tags(response: &HeaderMap) -> Vec<String> {
    let mut names = Vec::new();
    for (field, separator) in &FIELDS {
        for line in response.get_all(field) {
            let text = String::from_utf8_lossy(line.as_bytes());
            let named =
                text.split(*separator).map(|name| name.trim().trim_matches('"')).filter(|name| !name.is_empty());
            names.extend(named.map(str::to_owned));
        }
    }
    names
}

/// Takes these fields out of a response: they are for caches and no business of clients.
pub fn drop_cache_tags(response: &mut HeaderMap) {
    for (field, _) in &FIELDS {
        response.remove(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::fields;

    #[test]
    fn the_names_of_all_three_are_read_and_taken_out() {
        let mut response = fields(&[
            ("surrogate-key", "a  b,c"),
            ("surrogate-key", "d"),
            ("xkey", "e \"f\""),
            ("cache-tag", "g h, i ,"),
            ("surrogate-control", "max-age=1"),
            ("cache-groups", "\"j\""),
        ]);
        assert_eq!(cache_tags(&response), ["a", "b,c", "d", "e", "f", "g h", "i"]);
        drop_cache_tags(&mut response);
        assert_eq!(response, fields(&[("surrogate-control", "max-age=1"), ("cache-groups", "\"j\"")]));
        assert!(cache_tags(&response).is_empty());
    }
}
