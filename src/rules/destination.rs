//! The paths that a write concerns: the one it is sent to, and the one that it says it writes as well.

use std::collections::HashSet;

use http::HeaderMap;
use http::header::HeaderName;

use super::canonical::write_paths;
use crate::policy::path_of;

const DESTINATION: HeaderName = HeaderName::from_static("destination");

/// Every reading of the path of a write's `target`, a raw path with or without a query, and of what its Destination names,
/// as COPY and MOVE have it: decoded, without repeats, the target's own first.
///
/// Source: RFC 4918 sections 9.8, 9.9 and 10.3
pub fn written_paths(target: &str, fields: &HeaderMap) -> Vec<String> {
    let mut paths = write_paths(target.split('?').next().unwrap_or_default());
    if !fields.contains_key(DESTINATION) {
        return paths;
    }
    let also = fields.get_all(DESTINATION).iter().filter_map(|value| path_of(value, target));
    paths.extend(also.flat_map(|path| write_paths(&path)));
    let mut seen = HashSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    paths
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_a_destination_names_is_written_too() {
        for destination in ["/b/2", "http://any.example/b/2", "//any.example/b/2?x", "2", "/b/x/../2", "/%62/2"] {
            let fields = HeaderMap::from_iter([(DESTINATION, HeaderValue::from_static(destination))]);
            let paths = written_paths("/b/1", &fields);
            assert!(paths.first().is_some_and(|path| path == "/b/1"), "{paths:?}");
            assert!(paths.contains(&"/b/2".to_owned()), "{destination}: {paths:?}");
        }
        assert_eq!(written_paths("/b/1?x=/b/2", &HeaderMap::new()), ["/b/1"]);
    }
}
