//! Which requests say who is asking, so that their answers may be for that one user.

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, HeaderName};

use crate::fields::Detail;

/// The first sign of an identity in a request: Authorization, Cookie, or a field that [`is_credential`].
pub fn credential_in(request: &HeaderMap) -> Option<Detail> {
    if request.contains_key(AUTHORIZATION) {
        return Some(Detail::Authorization);
    }
    if request.contains_key(COOKIE) {
        return Some(Detail::Cookie);
    }
    request.keys().any(is_credential).then_some(Detail::Credential)
}

/// True for a field, other than Authorization and Cookie, by which APIs and the proxies in front of them tell users
/// apart: `X-Api-Key`, `X-Auth-Token`, `X-CSRF-Token`, `X-Forwarded-User` and the like.
///
/// Names are judged word by word, for nobody can list them all; a false alarm costs a miss, never an answer.
pub fn is_credential(name: &HeaderName) -> bool {
    let name = name.as_str();
    if matches!(name, "authorization" | "cookie") {
        return false;
    }
    let mut before = "";
    name.split(['-', '_']).any(|word| {
        let told = tells_users_apart(before, word);
        before = word;
        told
    })
}

fn tells_users_apart(before: &str, word: &str) -> bool {
    match word {
        "apikey" | "auth" | "authentication" | "authorization" | "authtoken" | "bearer" | "credential"
        | "credentials" | "csrf" | "csrftoken" | "jwt" | "oidc" | "passwd" | "password" | "secret" | "session"
        | "sessionid" | "sid" | "signature" | "token" | "xsrf" | "xsrftoken" => true,
        "key" => matches!(before, "access" | "api" | "auth" | "subscription" | "x"),
        "user" | "email" | "groups" => matches!(before, "forwarded" | "remote" | "x"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn request(names: &[&'static str]) -> HeaderMap {
        names.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("x"))).collect()
    }

    #[test]
    fn the_first_sign_of_an_identity_is_named() {
        for (names, found) in [
            (&["accept", "host"][..], None),
            (&["accept", "x-api-key"], Some(Detail::Credential)),
            (&["x-api-key", "cookie"], Some(Detail::Cookie)),
            (&["x-api-key", "cookie", "authorization"], Some(Detail::Authorization)),
        ] {
            assert_eq!(credential_in(&request(names)), found, "{names:?}");
        }
    }

    #[test]
    fn names_that_tell_users_apart_are_credentials() {
        for name in [
            "x-api-key",
            "api-key",
            "apikey",
            "x-apikey",
            "x-auth-token",
            "x-access-token",
            "x-csrf-token",
            "x-csrftoken",
            "x-xsrf-token",
            "private-token",
            "ocp-apim-subscription-key",
            "cf-access-jwt-assertion",
            "x-amz-security-token",
            "x-forwarded-user",
            "remote-user",
            "x-session-id",
            "x_api_key",
            "proxy-authorization",
        ] {
            assert!(is_credential(&HeaderName::from_static(name)), "{name}");
        }
    }

    #[test]
    fn everyday_names_are_none() {
        for name in [
            "accept",
            "authority",
            "authorization",
            "cookie",
            "host",
            "idempotency-key",
            "if-none-match",
            "origin",
            "sec-fetch-user",
            "sec-websocket-key",
            "traceparent",
            "upgrade-insecure-requests",
            "user-agent",
            "x-forwarded-for",
            "x-real-ip",
            "x-request-id",
            "x-requested-with",
        ] {
            assert!(!is_credential(&HeaderName::from_static(name)), "{name}");
        }
    }
}
