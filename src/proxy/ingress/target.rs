//! What the request is about: a path and perhaps a query, or the server as a whole.

use http::uri::PathAndQuery;
use http::{Method, Uri};

use super::Refusal;

/// The target in origin form, or `*` of an OPTIONS request.
///
/// Source: RFC 9112 section 3.2
pub(super) fn target(uri: &Uri, method: &Method) -> Result<PathAndQuery, Refusal> {
    if uri.scheme_str().is_some_and(|scheme| scheme != "http" && scheme != "https") {
        return Err(Refusal::BadRequest("The request target has a scheme other than http."));
    }
    match uri.path_and_query() {
        Some(target) if target.as_str() == "*" && method == Method::OPTIONS => Ok(target.clone()),
        Some(target) if target.as_str().starts_with('/') => Ok(target.clone()),
        // An absolute form without a path, as in `GET http://host?x`: printing it puts the `/` in.
        Some(target) if target.as_str().starts_with('?') && uri.authority().is_some() => {
            target.to_string().parse().map_err(|_| Refusal::BadRequest("The request target is malformed."))
        }
        None if uri.authority().is_some() && uri.scheme().is_some() => Ok(PathAndQuery::from_static("/")),
        _ => Err(Refusal::BadRequest("The request target does not start with `/`.")),
    }
}
