//! An origin that answers with everything it saw, and one that breaks over what it should not have seen.

use super::fields::ORDINARY;
use super::support::origin::{Asked, Origin, response};

/// What the mirror says of freshness and variation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing: a route speaks.
    Silent,
    /// An explicit lifetime, for all who ask.
    ForAll,
    /// An explicit lifetime, and every field of the client's that it looks at in Vary.
    Varying,
}

/// What it does over a request that bears the word `BAD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// Shows it.
    Shows,
    /// Answers with an error, which has the same freshness as its answers.
    Breaks,
}

pub const BAD: &str = "m4rk";

/// Statuses that an unusual request makes origins answer with.
const ERRORS: [u16; 7] = [400, 404, 405, 413, 431, 500, 501];

pub async fn mirror(freshness: Freshness, temper: Temper) -> Origin {
    Origin::start(move |asked| async move {
        let saw = shown(&asked);
        let mut fields = vec![("content-type", "application/json")];
        if freshness != Freshness::Silent {
            fields.push(("cache-control", "max-age=600"));
        }
        let names: Vec<&str> = ORDINARY.iter().map(|line| line.split_once(':').unwrap().0).collect();
        let vary = names.join(", ");
        if freshness == Freshness::Varying {
            fields.push(("vary", &vary));
        }
        let broken = temper == Temper::Breaks && saw.to_lowercase().contains(BAD);
        let status = if broken { ERRORS[asked.target.len() % ERRORS.len()] } else { 200 };
        response(status, &fields, &serde_json::json!({ "saw": saw }).to_string())
    })
    .await
}

/// A request, line by line.
fn shown(asked: &Asked) -> String {
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()))
    };
    let lines: String = asked.fields.iter().map(line).collect::<Vec<_>>().concat();
    format!("{} {}\n{lines}{}", asked.method, asked.target, String::from_utf8_lossy(&asked.body))
}
