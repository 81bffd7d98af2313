//! The names by which gateways, single sign-on and apps tell an origin who asks: one table, with the product that has each.

/// Each without its `X-`, in lower case and in order, with what sends it. One that ends in `-` stands for all that begin with
/// it. Kept by hand.
///
/// `_` stands in none: such names are dropped, since servers cannot tell them from those with `-`.
const NAMES: [(&str, &str); 129] = [
    ("$wscc", "IBM WebSphere"),
    ("$wsru", "IBM WebSphere"),
    ("access-token", "OpenID Connect gateways"),
    ("act-as", "impersonation by services"),
    ("acting-as", "impersonation by services"),
    ("actor", "what apps call it"),
    ("actor-id", "what apps call it"),
    ("affiliation", "Shibboleth"),
    ("algolia-application-id", "Algolia"),
    ("amzn-mtls-", "AWS ALB"),
    ("amzn-oidc-", "AWS ALB"),
    ("amzn-remapped-authorization", "AWS API Gateway"),
    ("anchormailbox", "Exchange"),
    ("anonymous-consumer", "Kong"),
    ("apigateway-api-userinfo", "Google API Gateway"),
    ("apigateway-context", "AWS API Gateway"),
    ("apigateway-event", "AWS API Gateway"),
    ("arr-clientcert", "Azure App Service"),
    ("auth-request-", "oauth2-proxy"),
    ("authenticated-groups", "Kong"),
    ("authenticated-scope", "Kong"),
    ("authenticated-userid", "Kong"),
    ("authentik-", "authentik"),
    ("caller-id", "what apps call it"),
    ("cf-access-", "Cloudflare Access"),
    ("cf-authorization", "Cloudflare Access"),
    ("client-id", "OAuth 2 clients: Twitch, MuleSoft"),
    ("cn", "Shibboleth"),
    ("cognito-", "AWS Cognito"),
    ("consumer-custom-id", "Kong"),
    ("consumer-groups", "Kong"),
    ("consumer-id", "Kong"),
    ("consumer-name", "APISIX"),
    ("consumer-username", "Kong"),
    ("credential-identifier", "Kong, APISIX"),
    ("credential-username", "Kong"),
    ("crumb", "Jenkins"),
    ("device-id", "what apps call it"),
    ("displayname", "Shibboleth"),
    ("eduperson-", "Shibboleth"),
    ("employee-id", "what apps call it"),
    ("endpoint-api-userinfo", "Google Cloud Endpoints"),
    ("entitlement", "Shibboleth"),
    ("eppn", "Shibboleth"),
    ("epuid", "Shibboleth"),
    ("ext-authz", "Envoy"),
    ("firebase-appcheck", "Firebase"),
    ("givenname", "Shibboleth"),
    ("goog-authenticated-user-", "Google IAP"),
    ("goog-authuser", "Google accounts"),
    ("goog-iap-", "Google IAP"),
    ("goog-visitor-id", "Google"),
    ("grafana-org-id", "Grafana"),
    ("groups", "what apps call it"),
    ("hasura-", "Hasura"),
    ("ibm-client-id", "IBM API Connect"),
    ("id-token", "OpenID Connect gateways"),
    ("impersonate-", "Kubernetes"),
    ("iv-", "IBM WebSEAL"),
    ("jenkins-crumb", "Jenkins"),
    ("jwt-assertion", "WSO2, API gateways"),
    ("jwt-payload", "Istio, API gateways"),
    ("l5d-client-id", "Linkerd"),
    ("mail", "Shibboleth"),
    ("mellon-", "mod_auth_mellon"),
    ("member-id", "what apps call it"),
    ("ms-auth-", "Azure App Service"),
    ("ms-client-principal", "Azure App Service"),
    ("ms-client-principal-", "Azure App Service"),
    ("ms-token-", "Azure App Service"),
    ("nonce", "anti-forgery tokens"),
    ("oam-", "Oracle Access Manager"),
    ("oidc-", "mod_auth_openidc"),
    ("on-behalf-of", "token exchange, Microsoft"),
    ("org-id", "what apps call it"),
    ("organisation-id", "what apps call it"),
    ("organization-id", "what apps call it"),
    ("orgid", "what apps call it"),
    ("osso-", "Oracle SSO"),
    ("owa-canary", "Exchange"),
    ("pairwise-id", "Shibboleth"),
    ("parse-application-id", "Parse"),
    ("permissions", "what apps call it"),
    ("persistent-id", "Shibboleth"),
    ("person-id", "what apps call it"),
    ("plaid-client-id", "Plaid"),
    ("pomerium-", "Pomerium"),
    ("remote-email", "Authelia"),
    ("remote-extra-", "Kubernetes"),
    ("remote-group", "Kubernetes"),
    ("remote-groups", "Authelia"),
    ("remote-name", "Authelia"),
    ("remote-roles", "Authelia"),
    ("remote-user", "CGI, nginx, Authelia, Kubernetes"),
    ("requestdigest", "SharePoint"),
    ("role", "what apps call it"),
    ("roles", "what apps call it"),
    ("run-as", "impersonation by services"),
    ("runas", "impersonation by services"),
    ("sap-client", "SAP"),
    ("sap-contextid", "SAP"),
    ("sap-user", "SAP"),
    ("sap-usercontext", "SAP"),
    ("scope-orgid", "Grafana Mimir, Loki"),
    ("scopes", "what apps call it"),
    ("securitytenant", "OpenSearch"),
    ("sgtenant", "Search Guard"),
    ("shib-", "Shibboleth"),
    ("sm-", "SiteMinder"),
    ("smsession", "SiteMinder"),
    ("smuser", "SiteMinder"),
    ("sn", "Shibboleth"),
    ("spiffe-", "SPIFFE"),
    ("sso-", "SSO gateways"),
    ("sudo", "GitLab"),
    ("tailscale-", "Tailscale Serve"),
    ("targeted-id", "Shibboleth"),
    ("teleport-", "Teleport"),
    ("uid", "Shibboleth, SAML attributes"),
    ("unscoped-affiliation", "Shibboleth"),
    ("user-id", "what apps call it"),
    ("userinfo", "OpenID Connect gateways (APISIX, lua-resty-openidc)"),
    ("vault-namespace", "HashiCorp Vault"),
    ("visitor-id", "what apps call it"),
    ("vouch-", "Vouch Proxy"),
    ("webauth-", "Grafana, Gitea, Traefik"),
    ("workspace-id", "what apps call it"),
    ("wp-nonce", "WordPress"),
    ("zumo-auth", "Azure Mobile Apps"),
];

/// The product that tells users apart by a field of this name, in lower case, with `X-` or without; `None` where none is known to.
pub(super) fn told_by(name: &str) -> Option<&'static str> {
    let own = name.strip_prefix("x-").unwrap_or(name);
    // The last one that is not behind it is it, or the family that it is of: no name of the table is of a family in it.
    let after = NAMES.partition_point(|(known, _)| *known <= own);
    let (known, by) = NAMES.get(after.checked_sub(1)?)?;
    let meant = if known.ends_with('-') { own.starts_with(known) } else { own == *known };
    meant.then_some(by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_no_name_is_of_a_family_in_it() {
        assert!(NAMES.is_sorted_by(|(one, _), (other, _)| one < other));
        for (family, _) in NAMES.iter().filter(|(name, _)| name.ends_with('-')) {
            assert!(!NAMES.iter().any(|(name, _)| name != family && name.starts_with(family)), "{family}");
        }
        for (name, by) in NAMES {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-$".contains(&byte);
            assert!(name.bytes().all(plain) && !name.starts_with("x-") && !by.is_empty(), "{name}");
        }
    }

    #[test]
    fn with_an_x_or_without_it_is_the_same_name() {
        for (name, by) in NAMES {
            let whole = if name.ends_with('-') { format!("{name}user") } else { name.to_owned() };
            assert_eq!(told_by(&whole), Some(by), "{whole}");
            assert_eq!(told_by(&format!("x-{whole}")), Some(by), "x-{whole}");
            assert_eq!(told_by(&format!("x-x-{whole}")), None, "x-x-{whole}");
        }
        for other in ["", "x-", "a", "zzz", "uid-hint", "consumer-", "hasura", "x-uids", "accept", "sn2", "client-hint"]
        {
            assert_eq!(told_by(other), None, "{other}");
        }
    }
}
