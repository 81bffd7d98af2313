//! Which requests say who is asking, so that their answers may be for that one user.

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, HeaderName};

use super::identities::told_by;
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
/// apart: `X-Api-Key`, `X-Auth-Token`, `X-CSRF-Token`, `X-Consumer-ID`, `X-Forwarded-User` and the like.
///
/// Names are looked up in a table and judged word by word, for no list has them all; a false alarm costs a miss, never
/// an answer.
pub fn is_credential(name: &HeaderName) -> bool {
    let name = name.as_str();
    !is_everyday(name) && (told_by(name).is_some() || sounds_like_one(name))
}

/// What nearly every request has is not looked at any closer: none of it is a credential that has no name of its own here, and
/// none a field that only a proxy may say.
pub(super) fn is_everyday(name: &str) -> bool {
    // By length, so that a name is compared with two or three others.
    match name.len() {
        3 => matches!(name, "dnt" | "via"),
        4 => name == "host",
        5 => name == "range",
        6 => matches!(name, "accept" | "cookie" | "origin" | "pragma"),
        7 => name == "referer",
        8 => name == "priority",
        9 => name == "sec-ch-ua",
        10 => matches!(name, "connection" | "user-agent"),
        12 => name == "content-type",
        13 => matches!(name, "authorization" | "cache-control" | "if-none-match"),
        14 => {
            matches!(name, "content-length" | "sec-fetch-dest" | "sec-fetch-mode" | "sec-fetch-site" | "sec-fetch-user")
        }
        15 => matches!(name, "accept-encoding" | "accept-language"),
        16 => name == "sec-ch-ua-mobile",
        17 => matches!(name, "if-modified-since" | "sec-websocket-key"),
        18 => name == "sec-ch-ua-platform",
        25 => name == "upgrade-insecure-requests",
        _ => false,
    }
}

fn sounds_like_one(name: &str) -> bool {
    // What a proxy in front says of the client's certificate.
    if name.strip_prefix("x-").unwrap_or(name).starts_with("ssl-client-") {
        return true;
    }
    let mut words = name.split(['-', '_']).peekable();
    let mut before = "";
    while let Some(word) = words.next() {
        if tells_users_apart(before, word, words.peek().copied().unwrap_or_default()) {
            return true;
        }
        before = word;
    }
    false
}

fn tells_users_apart(before: &str, word: &str, after: &str) -> bool {
    match word {
        "account" | "assertion" | "auth" | "authentication" | "authorization" | "bearer" | "cert" | "certificate"
        | "claim" | "claims" | "cookie2" | "credential" | "credentials" | "csrf" | "customer" | "dpop" | "email"
        | "impersonate" | "identity" | "jwt" | "login" | "oidc" | "otp" | "passcode" | "passwd" | "password"
        | "principal" | "session" | "sessionid" | "sid" | "signature" | "subject" | "tenant" | "userid"
        | "username" | "webauth" | "xsrf" => true,
        "from" => before.is_empty() && after.is_empty(),
        "key" => !matches!(before, "cache" | "idempotency" | "partition" | "routing" | "sort" | "surrogate" | ""),
        "user" => after != "agent" && !before.is_empty(),
        "groups" | "name" | "roles" => matches!(before, "forwarded" | "remote"),
        _ => SECRETS.iter().any(|secret| word.ends_with(secret)),
    }
}

/// What words end in that name a secret, written as one: `AccessToken`, `X-ClientSecret`, `AuthKey`.
const SECRETS: [&str; 7] = ["token", "secret", "apikey", "authkey", "accesskey", "sessionkey", "appkey"];

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
            "cf-access-client-secret",
            "cf-access-authenticated-user-email",
            "cookie2",
            "dpop",
            "from",
            "remote-groups",
            "signature-input",
            "x-authentik-username",
            "x-goog-authenticated-user-email",
            "x-goog-iap-jwt-assertion",
            "x-ms-client-principal-id",
            "x-rapidapi-key",
            "x-session-token",
            "x-ssl-client-cert",
            "x-tenant-id",
            "x-user",
            "x-user-id",
            "x-webauth-user",
            "proxy-authorization",
            "accesstoken",
            "x-accesstoken",
            "authkey",
            "x-authkey",
            "sessiontoken",
            "usertoken",
            "idtoken",
            "refreshtoken",
            "logintoken",
            "x-apitoken",
            "xauthtoken",
            "authorizationtoken",
            "clientsecret",
            "appkey",
            "x-sessionkey",
            "x-accesskey-id",
            "x-ssl-client-s-dn",
            "x-ssl-client-verify",
            "ssl-client-cert",
            "eppn",
            "x-consumer-id",
            "consumer-custom-id",
            "x-hasura-role",
            "x-hasura-org-id",
            "x-uid",
            "x-on-behalf-of",
            "on-behalf-of",
            "x-amzn-oidc-data",
            "cf-access-client-id",
            "x-authentik-uid",
            "tailscale-user-login",
            "x-pomerium-claim-groups",
            "x-roles",
            "x-userinfo",
            "iv-groups",
            "sm-universalid",
            "x-scope-orgid",
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
            "x-device-user-agent",
            "key",
            "monkey",
            "tokens-left",
            "x-ssl",
            "surrogate-key",
            "x-forwarded-for",
            "x-real-ip",
            "x-request-id",
            "x-requested-with",
            "accept-post",
            "client-version",
            "device-memory",
            "sec-ch-ua-platform",
            "service-worker-navigation-preload",
            "tracestate",
            "x-b3-traceid",
            "x-correlation-id",
            "x-device-type",
            "x-real-ip",
        ] {
            assert!(!is_credential(&HeaderName::from_static(name)), "{name}");
        }
    }
}
