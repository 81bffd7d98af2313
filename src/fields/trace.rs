//! traceparent: the trace that a request belongs to, and the span in it that sent the request.

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

/// Which trace, and which span of it.
///
/// Source: W3C Trace Context section 3.2
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A traceparent of the form that is laid down, `00-` 32 digits `-` 16 digits `-` 2 digits: there is hardly a place in it
/// for anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceParent {
    version: String,
    trace_id: String,
    span_id: String,
    flags: String,
}

impl TraceParent {
    /// That of a request; `None` where there is none, where there are several, and where it is malformed: no hexadecimal
    /// digits in lower case, ids of nothing but zeros, the version `ff`, or more than that in version 00.
    ///
    /// What a version to come has after the flags is left out, and the rest then said as version 00 would say it.
    ///
    /// Source: W3C Trace Context sections 3.2.2 and 4.3
    pub fn of(request: &HeaderMap) -> Option<Self> {
        let mut lines = request.get_all(TRACEPARENT).iter();
        let only = lines.next().filter(|_| lines.next().is_none())?;
        let mut parts = only.to_str().ok()?.splitn(5, '-');
        let version = digits(parts.next()?, 2).filter(|version| *version != "ff")?;
        let trace_id = digits(parts.next()?, 32).filter(|id| !is_zero(id))?;
        let span_id = digits(parts.next()?, 16).filter(|id| !is_zero(id))?;
        let flags = digits(parts.next()?, 2)?;
        let (version, flags) = match (parts.next(), version) {
            (None, _) => (version, flags),
            (Some(_), "00") => return None,
            (Some(_), _) => ("00", if is_odd(flags) { "01" } else { "00" }),
        };
        let [version, trace_id, span_id, flags] = [version, trace_id, span_id, flags].map(str::to_owned);
        Some(Self { version, trace_id, span_id, flags })
    }

    /// The id of the trace: 32 lower-case hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        &self.trace_id
    }

    /// The id of the span that sent the request: 16 such digits.
    pub fn span_id(&self) -> &str {
        &self.span_id
    }

    /// The field's value.
    pub fn value(&self) -> Option<HeaderValue> {
        let Self { version, trace_id, span_id, flags } = self;
        HeaderValue::from_str(&format!("{version}-{trace_id}-{span_id}-{flags}")).ok()
    }
}

/// The text, if it is so many hexadecimal digits in lower case.
fn digits(text: &str, count: usize) -> Option<&str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    (plain && text.len() == count).then_some(text)
}

fn is_zero(id: &str) -> bool {
    id.bytes().all(|digit| digit == b'0')
}

/// Whether the last bit is set: the trace is sampled, all that version 00 has a flag for.
fn is_odd(flags: &str) -> bool {
    flags.ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::field;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn read(lines: &[&str]) -> Option<String> {
        let mut fields = HeaderMap::new();
        for line in lines {
            fields.append(TRACEPARENT, HeaderValue::from_str(line).unwrap());
        }
        let read = TraceParent::of(&fields)?;
        assert_eq!((read.trace_id(), read.span_id()), (TRACE, SPAN));
        Some(read.value().unwrap().to_str().unwrap().to_owned())
    }

    #[test]
    fn what_has_the_form_goes_on_as_it_is() {
        for (version, flags) in [("00", "01"), ("00", "00"), ("00", "ff"), ("01", "01"), ("cc", "a9"), ("fe", "00")] {
            let line = format!("{version}-{TRACE}-{SPAN}-{flags}");
            assert_eq!(read(&[&line]), Some(line.clone()));
        }
    }

    #[test]
    fn what_a_later_version_has_besides_is_left_out() {
        for (flags, kept) in [("01", "01"), ("00", "00"), ("fe", "00"), ("0b", "01")] {
            for more in ["", "x", "00-11", "what-the-future-will-be-like"] {
                let line = format!("01-{TRACE}-{SPAN}-{flags}-{more}");
                assert_eq!(read(&[&line]), Some(format!("00-{TRACE}-{SPAN}-{kept}")), "{line}");
            }
        }
    }

    #[test]
    fn anything_else_is_none() {
        let good = format!("00-{TRACE}-{SPAN}-01");
        assert_eq!(read(&[&good, &good]), None, "two of them");
        assert_eq!(read(&[]), None);
        for bad in [
            String::new(),
            "00".to_owned(),
            format!("{good}-"),
            format!("{good}-x"),
            format!("{good}1"),
            format!("{good},{good}"),
            good.to_uppercase(),
            good.replace("4b", "4B"),
            good.replace("4b", "4g"),
            good.replace('-', ""),
            good.replace('-', "_"),
            good.replace(TRACE, &"0".repeat(32)),
            good.replace(SPAN, &"0".repeat(16)),
            good.replace(TRACE, &TRACE[1..]),
            good.replace(SPAN, &format!("0{SPAN}")),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("01-{TRACE}-{SPAN}-01x"),
            format!("01-{TRACE}-{SPAN}-0"),
            format!("01-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-1\u{e9}"),
        ] {
            assert_eq!(read(&[&bad]), None, "{bad}");
        }
        assert_eq!(TraceParent::of(&field(&TRACEPARENT, &[&b"\xff"[..]])), None);
    }
}
