//! What a request carries that the lines of several logs are joined by.

use http::{HeaderMap, HeaderName};

use crate::fields::{TRACEPARENT, TraceParent};

/// The ids of one request, as far as it has some that can be written as they are.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ids {
    trace: Option<TraceParent>,
    request: Option<Box<str>>,
    correlation: Option<Box<str>>,
    b3_trace: Option<Box<str>>,
    b3_span: Option<Box<str>>,
}

/// The longest id that is written.
const LONGEST: usize = 64;

impl Ids {
    /// Goes over a request's fields once; `None` where it has no ids, as most requests.
    pub(super) fn of(fields: &HeaderMap) -> Option<Self> {
        let mut ids = Self::default();
        for name in fields.keys() {
            let id = match name.as_str() {
                "x-request-id" | "request-id" => &mut ids.request,
                "x-correlation-id" | "correlation-id" => &mut ids.correlation,
                "x-b3-traceid" => &mut ids.b3_trace,
                "x-b3-spanid" => &mut ids.b3_span,
                _ => {
                    if *name == TRACEPARENT {
                        ids.trace = TraceParent::of(fields);
                    }
                    continue;
                }
            };
            *id = only(fields, name).or(id.take());
        }
        (ids != Self::default()).then_some(ids)
    }

    /// Each with the name that it has in the log.
    pub fn named(&self) -> [(&'static str, Option<&str>); 6] {
        [
            ("trace_id", self.trace.as_ref().map(TraceParent::trace_id)),
            ("span_id", self.trace.as_ref().map(TraceParent::span_id)),
            ("request_id", self.request.as_deref()),
            ("correlation_id", self.correlation.as_deref()),
            ("b3_trace_id", self.b3_trace.as_deref()),
            ("b3_span_id", self.b3_span.as_deref()),
        ]
    }
}

/// The field's value, where it has one line and that is nothing but letters, digits and `-`. A copy, since the request's
/// own holds all that was read with it.
fn only(fields: &HeaderMap, name: &HeaderName) -> Option<Box<str>> {
    let mut lines = fields.get_all(name).iter();
    let only = lines.next().filter(|_| lines.next().is_none())?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    ((1..=LONGEST).contains(&only.len()) && only.bytes().all(plain)).then(|| only.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::fields;

    fn told(lines: &[(&'static str, &'static str)]) -> Vec<(&'static str, String)> {
        let ids = Ids::of(&fields(lines)).unwrap_or_default();
        ids.named().into_iter().filter_map(|(name, id)| Some((name, id?.to_owned()))).collect()
    }

    #[test]
    fn ids_are_told_that_can_be_written_as_they_are() {
        let all = told(&[
            ("accept", "*/*"),
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("x-request-id", "r-1"),
            ("correlation-id", "C2"),
            ("x-b3-traceid", "80f198ee56343ba8"),
            ("x-b3-spanid", "e457b5a2e4d86bd1"),
        ]);
        let expected = [
            ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
            ("span_id", "00f067aa0ba902b7"),
            ("request_id", "r-1"),
            ("correlation_id", "C2"),
            ("b3_trace_id", "80f198ee56343ba8"),
            ("b3_span_id", "e457b5a2e4d86bd1"),
        ];
        assert_eq!(all, expected.map(|(name, id)| (name, id.to_owned())));
        assert_eq!(told(&[("request-id", "a"), ("x-request-id", "b c")]), [("request_id", "a".to_owned())]);
    }

    #[test]
    fn others_are_not() {
        let long: &'static str = "a".repeat(65).leak();
        let longest: &'static str = "a".repeat(64).leak();
        assert_eq!(told(&[("x-request-id", longest)]), [("request_id", longest.to_owned())]);
        assert_eq!(Ids::of(&fields(&[("accept", "*/*")])), None);
        for lines in [
            &[("x-request-id", "")][..],
            &[("x-request-id", "a b")],
            &[("x-request-id", "a\"b")],
            &[("x-request-id", "a=b")],
            &[("x-request-id", "a/b")],
            &[("x-request-id", long)],
            &[("x-request-id", "a"), ("x-request-id", "a")],
        ] {
            assert_eq!(told(lines), [], "{lines:?}");
        }
    }
}
