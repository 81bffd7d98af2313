//! The fields that a request's line may have: each is one value of its outcome.

use super::outcome::Outcome;

/// One row a field: its name as a variant, and in the log.
macro_rules! fields {
    ($($field:ident, $name:literal;)*) => {
        /// A field of a request's line, by the name that it has in the log.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum LogField {
            $(#[doc = concat!("`", $name, "`")] $field,)*
        }

        impl LogField {
            /// Every field with its name, in the order in which they are written.
            pub const ALL: &'static [(&'static str, Self)] = &[$(($name, Self::$field)),*];
        }
    };
}

fields! {
    Method, "method";
    Path, "path";
    Query, "query";
    Route, "route";
    Status, "status";
    Result, "result";
    Reason, "reason";
    Cache, "cache";
    Bytes, "bytes";
    Source, "source";
    Micros, "micros";
    OriginMicros, "origin_micros";
    Client, "client";
    Why, "why";
    Dropped, "dropped";
    Rule, "rule";
    Invalidation, "invalidation";
    AckMicros, "ack_micros";
    TraceId, "trace_id";
    SpanId, "span_id";
    RequestId, "request_id";
    CorrelationId, "correlation_id";
    B3TraceId, "b3_trace_id";
    B3SpanId, "b3_span_id";
}

/// Some of the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogFields(u32);

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'o> {
    /// Any text, that of a client among others.
    Text(&'o str),
    /// Text that was made for it.
    Made(String),
    Number(u64),
}

impl LogFields {
    /// All of them.
    pub const EVERY: Self = Self(u32::MAX);
    /// The ids that a request carries: what the lines of several logs are joined by.
    pub const IDS: Self = Self(0b11_1111 << LogField::TraceId as u32);

    /// These.
    pub fn of(fields: &[LogField]) -> Self {
        Self(fields.iter().fold(0, |bits, field| bits | (1 << *field as u32)))
    }

    /// Those that an outcome has, each with its name and its value.
    pub(super) fn values(self, outcome: &Outcome) -> impl Iterator<Item = (&'static str, Value<'_>)> {
        let wanted = LogField::ALL.iter().filter(move |(_, field)| self.0 & (1 << *field as u32) != 0);
        wanted.filter_map(|(name, field)| Some((*name, field.value(outcome)?)))
    }
}

impl LogField {
    /// Its value in an outcome; `None` where that has none.
    fn value(self, outcome: &Outcome) -> Option<Value<'_>> {
        let (notes, dropped) = (&outcome.notes, outcome.notes.dropped.as_deref());
        Some(match self {
            Self::Method => Value::Text(outcome.method.as_str()),
            Self::Path => Value::Text(&outcome.path),
            Self::Query => Value::Text(notes.query.as_deref()?),
            Self::Route => Value::Text(notes.route.as_deref()?),
            Self::Status => Value::Number(outcome.status?.as_u16().into()),
            Self::Result => Value::Text(outcome.result().as_str()),
            Self::Reason => Value::Text(outcome.reason()?),
            Self::Cache => Value::Made(outcome.status.map(|_| outcome.cache.to_string())?),
            Self::Bytes => Value::Number(outcome.bytes?),
            Self::Source => Value::Text(outcome.source()?.as_str()),
            Self::Micros => Value::Number(outcome.micros),
            Self::OriginMicros => Value::Number(notes.origin_micros?),
            Self::Client => Value::Made(outcome.client?.to_string()),
            Self::Why => Value::Text(notes.why.as_deref()?),
            Self::Dropped => Value::Text(dropped?.summary.as_deref()?),
            Self::Rule => Value::Text(dropped?.rule.as_deref()?),
            Self::Invalidation => Value::Text(dropped?.done.as_str()),
            Self::AckMicros => Value::Number(dropped?.ack_micros?),
            Self::TraceId | Self::SpanId | Self::RequestId | Self::CorrelationId | Self::B3TraceId | Self::B3SpanId => {
                Value::Text(outcome.ids.as_ref()?.named().get(self as usize - Self::TraceId as usize)?.1?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ids::Ids;
    use super::*;

    #[test]
    fn each_field_has_a_bit_and_the_ids_have_theirs() {
        assert!(LogField::ALL.len() < 32);
        let ids = Ids::default();
        let named = ids.named().map(|(name, _)| name);
        let of_ids = LogField::ALL.iter().filter(|(_, field)| LogFields::IDS.0 & (1 << *field as u32) != 0);
        assert_eq!(of_ids.map(|(name, _)| *name).collect::<Vec<_>>(), named);
        let all: Vec<_> = LogField::ALL.iter().map(|(_, field)| *field).collect();
        assert_eq!(LogFields::of(&all).0.count_ones() as usize, LogField::ALL.len());
    }
}
