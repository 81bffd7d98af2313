//! File descriptors: as many as the process may have, and no more connections than they suffice for. A client who waits
//! to be accepted is served later; one who is accepted when none are left for the origin gets an error.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Listeners, runtimes, sessions with the store, and what libraries open: more than any of them was seen to need.
const OWN: usize = 64;

/// How many clients may be connected at once: `wanted`, or fewer where the process may not open a file for each of them
/// and for as many as `upstream` connections to the origin. Raises the process's soft limit to its hard one.
pub(super) fn connections(wanted: usize, upstream: usize) -> usize {
    let files = raised();
    let places = places(files, wanted, upstream);
    if places < wanted {
        tracing::warn!(
            "at most {places} clients are served at once, not {wanted}, since the process may open {files} files; \
             raise that limit (`ulimit -n`, LimitNOFILE=) or lower `connections` in [limits]"
        );
    }
    places
}

/// How many files the process may open.
fn raised() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let files = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX)
}

/// Half of what there is for clients at the least, all but `upstream` at the most.
fn places(files: usize, wanted: usize, upstream: usize) -> usize {
    let usable = files.saturating_sub(OWN);
    wanted.min(usable - upstream.min(usable / 2)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_shared_between_clients_and_origin() {
        assert_eq!(places(20_000, 10_000, 1024), 10_000);
        assert_eq!(places(10_000, 10_000, 1024), 8912);
        assert_eq!(places(256, 10_000, 1024), 96);
        assert_eq!(places(256, 10_000, 10), 182);
        assert_eq!(places(256, 50, 1024), 50);
        assert_eq!(places(usize::MAX, 10_000, 1024), 10_000);
        assert_eq!(places(0, 10_000, 1024), 1);
    }

    #[test]
    fn all_that_the_system_allows_is_asked_for() {
        assert!(raised() > OWN);
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
