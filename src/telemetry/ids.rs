//! What a request carries that the lines of several logs are joined by.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::fields::{TRACEPARENT, TraceParent};

/// The ids of one request, as far as it has some that can be written as they are.
#[derive(Debug, Default)]
pub(super) struct Ids {
    trace: Option<TraceParent>,
    request: Option<HeaderValue>,
    correlation: Option<HeaderValue>,
    b3_trace: Option<HeaderValue>,
    b3_span: Option<HeaderValue>,
}

/// The longest id that is written.
const LONGEST: usize = 64;

impl Ids {
    /// Goes over a request's fields once: most have none of these.
    pub(super) fn of(fields: &HeaderMap) -> Self {
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
        ids
    }

    pub(super) fn trace(&self) -> Option<&str> {
        self.trace.as_ref().map(TraceParent::trace_id)
    }

    pub(super) fn span(&self) -> Option<&str> {
        self.trace.as_ref().map(TraceParent::span_id)
    }

    pub(super) fn request(&self) -> Option<&str> {
        text(self.request.as_ref())
    }

    pub(super) fn correlation(&self) -> Option<&str> {
        text(self.correlation.as_ref())
    }

    pub(super) fn b3_trace(&self) -> Option<&str> {
        text(self.b3_trace.as_ref())
    }

    pub(super) fn b3_span(&self) -> Option<&str> {
        text(self.b3_span.as_ref())
    }
}

fn text(id: Option<&HeaderValue>) -> Option<&str> {
    id?.to_str().ok()
}

/// The field's value, where it has one line and that is nothing but letters, digits and `-`.
fn only(fields: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut lines = fields.get_all(name).iter();
    let only = lines.next().filter(|_| lines.next().is_none())?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let bytes = only.as_bytes();
    ((1..=LONGEST).contains(&bytes.len()) && bytes.iter().all(plain)).then(|| only.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::fields;

    #[test]
    fn ids_are_told_that_can_be_written_as_they_are() {
        let ids = Ids::of(&fields(&[
            ("accept", "*/*"),
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("x-request-id", "r-1"),
            ("correlation-id", "C2"),
            ("x-b3-traceid", "80f198ee56343ba8"),
            ("x-b3-spanid", "e457b5a2e4d86bd1"),
        ]));
        assert_eq!(ids.trace(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(ids.span(), Some("00f067aa0ba902b7"));
        assert_eq!((ids.request(), ids.correlation()), (Some("r-1"), Some("C2")));
        assert_eq!((ids.b3_trace(), ids.b3_span()), (Some("80f198ee56343ba8"), Some("e457b5a2e4d86bd1")));
        let either = Ids::of(&fields(&[("request-id", "a"), ("x-request-id", "b c")]));
        assert_eq!(either.request(), Some("a"));
    }

    #[test]
    fn others_are_not() {
        let long: &'static str = "a".repeat(65).leak();
        let longest: &'static str = "a".repeat(64).leak();
        assert_eq!(Ids::of(&fields(&[("x-request-id", longest)])).request(), Some(longest));
        for lines in [
            &[("x-request-id", "")][..],
            &[("x-request-id", "a b")],
            &[("x-request-id", "a\"b")],
            &[("x-request-id", "a=b")],
            &[("x-request-id", "a/b")],
            &[("x-request-id", long)],
            &[("x-request-id", "a"), ("x-request-id", "a")],
        ] {
            assert_eq!(Ids::of(&fields(lines)).request(), None, "{lines:?}");
        }
    }
}
