//! The metrics as a scrape wants them: their names, labels and what each says, in one table that docs/metrics.md repeats.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet, prometheus_text, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::{Registry, Unit};

use super::histogram::{BOUNDS_MICROS, Buckets, as_f64};
use super::operations::Gauges;
use super::totals::{Totals, Verified};
use crate::fields::{Detail, media_type_weight};

/// How a scrape wants the metrics to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The Prometheus text format.
    Text,
    /// `OpenMetrics`, for whoever asks for it.
    OpenMetrics,
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its full name.
    pub name: &'static str,
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: &'static str,
    /// The labels of each of its series.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($name:literal, $kind:literal, [$($label:literal),*], $help:literal;)*) => {
        /// Every metric, in the order in which they are written.
        pub const METRICS: &[Metric] =
            &[$(Metric { name: $name, kind: $kind, labels: &[$($label),*], help: $help }),*];
    };
}

metrics! {
    "aside_requests_total", "counter", ["route", "method", "status_class", "cache"],
        "Requests that were answered, or whose client left before.";
    "aside_refused_connections_total", "counter", ["reason"],
        "Connections that were ended because what the client sent could not be read as a request.";
    "aside_request_duration_seconds", "histogram", ["cache"],
        "From a request to the head of its answer.";
    "aside_origin_duration_seconds", "histogram", [],
        "From sending a request to the origin to the head of its answer, comparisons of `[verify]` among them.";
    "aside_origin_inflight", "gauge", [],
        "Requests under way to the origin.";
    "aside_bytes_total", "counter", ["route", "source"],
        "Bytes of answers' bodies, by where they came from.";
    "aside_collapsed_total", "counter", [],
        "Requests that were answered with what another one fetched.";
    "aside_stale_served_total", "counter", ["reason"],
        "Stale answers that were served.";
    "aside_missed_total", "counter", ["reason"],
        "Reads (GET and HEAD) that went to the origin.";
    "aside_fills_refused_total", "counter", ["reason"],
        "Answers that were fetched and not stored.";
    "aside_invalidations_total", "counter", ["route", "rule", "result"],
        "What writes have dropped.";
    "aside_invalidation_ack_seconds", "histogram", [],
        "From an answer to a write to the store's word that everything it changed is invalidated.";
    "aside_purges_total", "counter", ["by", "mode", "result"],
        "Purges that somebody has asked for by name.";
    "aside_store_operation_seconds", "histogram", ["op"],
        "How long operations of the shared store took.";
    "aside_store_errors_total", "counter", ["kind"],
        "Operations that the shared store did not do.";
    "aside_store_up", "gauge", [],
        "Whether the store can be used.";
    "aside_lease_valid", "gauge", [],
        "Whether what is stored may be given out.";
    "aside_pending_invalidations", "gauge", [],
        "Invalidations that the store has yet to confirm.";
    "aside_entries", "gauge", [],
        "Entries, or copies of entries, in this process's memory.";
    "aside_stored_bytes", "gauge", [],
        "Bytes that those take.";
    "aside_evictions_total", "counter", ["reason"],
        "Entries that had to go.";
    "aside_breaker_open", "gauge", ["address"],
        "Whether an address of the origin is out of use.";
    "aside_verified_total", "counter", ["route", "result"],
        "Stored answers that were compared with the origin's.";
    "aside_saved_origin_seconds_total", "counter", ["route"],
        "Time of the origin that hits have saved: the mean of the route's fetches, for each.";
    "aside_build_info", "info", ["version"],
        "The version that runs.";
}

impl Format {
    /// The one that a request would rather have; of the same weight `OpenMetrics`, if that is asked for by name.
    ///
    /// Source: RFC 9110 section 12.5.1
    pub fn accepted(request: &HeaderMap) -> Self {
        let open = media_type_weight(request, &["application/openmetrics-text"]);
        let text = media_type_weight(request, &["text/plain", "text/*", "*/*"]);
        if open > 0 && open >= text { Self::OpenMetrics } else { Self::Text }
    }

    /// Its media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All metrics in a format.
pub(super) fn write(format: Format, totals: Totals, gauges: Gauges) -> String {
    let mut registry = Registry::with_prefix("aside");
    registry.register_collector(Box::new(Scrape { totals, gauges }));
    let mut out = String::new();
    // Writing to a text does not fail.
    let _ = match format {
        Format::Text => prometheus_text::encode(&mut out, &registry),
        Format::OpenMetrics => text::encode(&mut out, &registry),
    };
    out
}

/// The figures of one scrape.
#[derive(Debug)]
struct Scrape {
    totals: Totals,
    gauges: Gauges,
}

type Exemplars<'e> = Option<&'e Exemplar<NoLabelSet, f64>>;
const NONE: Exemplars<'static> = None;

/// The metric of that name, about to be written.
fn begun<'e>(encoder: &'e mut DescriptorEncoder<'_>, full: &'static str) -> Result<MetricEncoder<'e>, fmt::Error> {
    let metric = METRICS.iter().find(|metric| metric.name == full).ok_or(fmt::Error)?;
    let kind = match metric.kind {
        "counter" => MetricType::Counter,
        "histogram" => MetricType::Histogram,
        "info" => MetricType::Info,
        _ => MetricType::Gauge,
    };
    let name = full.strip_prefix("aside_").unwrap_or(full);
    let name = name.strip_suffix("_total").or_else(|| name.strip_suffix("_info")).unwrap_or(name);
    let seconds = name.strip_suffix("_seconds");
    let unit = seconds.is_some().then_some(&Unit::Seconds);
    encoder.encode_descriptor(seconds.unwrap_or(name), metric.help, unit, kind)
}

fn counter(out: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
    out.encode_family(labels)?.encode_counter(&value, NONE)
}

fn histogram(out: &mut MetricEncoder<'_>, buckets: &Buckets) -> fmt::Result {
    let bounds = BOUNDS_MICROS.iter().map(|bound| as_f64(*bound) / 1e6);
    let steps: Vec<(f64, u64)> = bounds.chain([f64::INFINITY]).zip(buckets.steps).collect();
    out.encode_histogram::<NoLabelSet>(buckets.sum_seconds(), buckets.count(), &steps, None)
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.requests(&mut encoder)?;
        self.reasons(&mut encoder)?;
        self.invalidations(&mut encoder)?;
        self.store(&mut encoder)?;
        self.origin(&mut encoder)?;
        begun(&mut encoder, "aside_build_info")?.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
    }
}

impl Scrape {
    fn requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = begun(encoder, "aside_requests_total")?;
        for (route, totals) in &self.totals.routes {
            for (method, class, result, count) in totals.cells() {
                let class = CLASSES.get(usize::from(class)).copied().unwrap_or_default();
                let labels =
                    [("route", &**route), ("method", method), ("status_class", class), ("cache", result.as_str())];
                counter(&mut out, &labels, count)?;
            }
        }
        let mut out = begun(encoder, "aside_refused_connections_total")?;
        for (reason, count) in &self.totals.refused_connections {
            counter(&mut out, &[("reason", *reason)], *count)?;
        }
        let mut out = begun(encoder, "aside_request_duration_seconds")?;
        for (result, buckets) in self.totals.requests.iter().filter(|(_, buckets)| buckets.count() > 0) {
            histogram(&mut out.encode_family(&[("cache", result.as_str())])?, buckets)?;
        }
        histogram(&mut begun(encoder, "aside_origin_duration_seconds")?, &self.totals.origin)?;
        let mut out = begun(encoder, "aside_bytes_total")?;
        for (route, totals) in &self.totals.routes {
            for (source, bytes) in [("cache", totals.cache_bytes), ("origin", totals.origin_bytes)] {
                counter(&mut out, &[("route", &**route), ("source", source)], bytes)?;
            }
        }
        let mut out = begun(encoder, "aside_saved_origin_seconds_total")?;
        for (route, totals) in &self.totals.routes {
            let labels = [("route", &**route)];
            out.encode_family(&labels)?.encode_counter(&totals.saved_origin_seconds, NONE)?;
        }
        Ok(())
    }

    fn reasons(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        begun(encoder, "aside_collapsed_total")?.encode_counter(&self.totals.collapsed, NONE)?;
        let Totals { stale, missed, refused, .. } = &self.totals;
        // There from the start, as what verify finds.
        let mut every_stale: BTreeMap<_, _> = STALE.map(|reason| (reason.as_str(), 0)).into();
        every_stale.extend(stale);
        for (name, reasons) in [
            ("aside_stale_served_total", &every_stale),
            ("aside_missed_total", missed),
            ("aside_fills_refused_total", refused),
        ] {
            let mut out = begun(encoder, name)?;
            for (reason, count) in reasons {
                counter(&mut out, &[("reason", *reason)], *count)?;
            }
        }
        Ok(())
    }

    fn invalidations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = begun(encoder, "aside_invalidations_total")?;
        for (one, count) in &self.totals.invalidations {
            let labels = [("route", &*one.route), ("rule", &*one.rule), ("result", one.result.as_str())];
            counter(&mut out, &labels, *count)?;
        }
        histogram(&mut begun(encoder, "aside_invalidation_ack_seconds")?, &self.totals.acks)?;
        let mut out = begun(encoder, "aside_purges_total")?;
        for (kind, count) in &self.totals.purges {
            let labels = [("by", kind.by.as_str()), ("mode", kind.mode.as_str()), ("result", kind.result.as_str())];
            counter(&mut out, &labels, *count)?;
        }
        let mut out = begun(encoder, "aside_verified_total")?;
        for ((route, result), count) in self.verified() {
            counter(&mut out, &[("route", &*route), ("result", result.as_str())], count)?;
        }
        Ok(())
    }

    /// What came of comparisons. Of a route whose hits are compared it is said from the start that none was old: an increase is
    /// seen only of what was there before. The rest of what can come of them nobody has to be told of, and with many routes it
    /// would be most of the scrape.
    fn verified(&self) -> BTreeMap<(Arc<str>, Verified), u64> {
        let mut verified = self.totals.verified.clone();
        let known: Vec<_> = verified.keys().map(|(route, _)| Arc::clone(route)).collect();
        let compared = self.gauges.compared.iter().cloned().chain(known);
        for route in compared {
            verified.entry((route, Verified::Different)).or_default();
        }
        verified
    }

    fn store(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let gauges = &self.gauges;
        let mut out = begun(encoder, "aside_store_operation_seconds")?;
        for (op, buckets) in gauges.store_operations.iter().filter(|(_, buckets)| buckets.count() > 0) {
            histogram(&mut out.encode_family(&[("op", *op)])?, buckets)?;
        }
        for (name, label, counts) in [
            ("aside_store_errors_total", "kind", &gauges.store_errors),
            ("aside_evictions_total", "reason", &gauges.evictions),
        ] {
            let mut out = begun(encoder, name)?;
            for (of, count) in counts {
                counter(&mut out, &[(label, *of)], *count)?;
            }
        }
        for (name, value) in [
            ("aside_store_up", gauges.store_up.map(u64::from)),
            ("aside_lease_valid", gauges.lease_valid.map(u64::from)),
            ("aside_pending_invalidations", gauges.pending_invalidations),
            ("aside_entries", gauges.entries),
            ("aside_stored_bytes", gauges.stored_bytes),
        ] {
            if let Some(value) = value {
                begun(encoder, name)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }

    fn origin(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        if let Some(inflight) = self.gauges.origin_inflight {
            begun(encoder, "aside_origin_inflight")?.encode_gauge(&inflight)?;
        }
        let mut out = begun(encoder, "aside_breaker_open")?;
        for (address, open) in &self.gauges.breakers {
            out.encode_family(&[("address", &**address)])?.encode_gauge(&u64::from(*open))?;
        }
        Ok(())
    }
}

/// Why an answer that is served may be stale.
const STALE: [Detail; 3] = [Detail::StaleWhileRevalidate, Detail::StaleIfError, Detail::MaxStale];
/// The classes of a status, by their number.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Names that two metrics share would make a scrape that nobody takes.
#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn every_metric_is_written_once_in_both_formats() {
        let gauges = Gauges {
            store_up: Some(true),
            lease_valid: Some(false),
            pending_invalidations: Some(1),
            entries: Some(2),
            stored_bytes: Some(3),
            origin_inflight: Some(4),
            breakers: vec![("127.0.0.1:1\"\\\n".to_owned(), true)],
            ..Gauges::default()
        };
        for format in [Format::Text, Format::OpenMetrics] {
            let written = write(format, Totals::default(), gauges.clone());
            for metric in METRICS {
                let family = match format {
                    Format::Text => metric.name,
                    Format::OpenMetrics => metric.name.trim_end_matches("_total").trim_end_matches("_info"),
                };
                let help = format!("# HELP {family} {}\n", metric.help);
                assert_eq!(written.matches(&help).count(), 1, "{help}{written}");
            }
            assert_eq!(written.matches("# TYPE ").count(), METRICS.len());
            assert!(written.contains("aside_breaker_open{address=\"127.0.0.1:1\\\"\\\\\\n\"} 1\n"), "{written}");
        }
    }

    #[test]
    fn the_format_is_what_a_request_would_rather_have() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,*/*;q=0.2";
        for (lines, format) in [
            (&[][..], Format::Text),
            (&["*/*"], Format::Text),
            (&[prometheus], Format::OpenMetrics),
            (&["application/openmetrics-text;version=1.0.0,*/*"], Format::OpenMetrics),
            (&["Application/OpenMetrics-Text"], Format::OpenMetrics),
            (&["text/plain", "application/openmetrics-text"], Format::OpenMetrics),
            (&["text/plain", "application/openmetrics-text; q=0.9"], Format::Text),
            (&["application/openmetrics-text;q=0"], Format::Text),
            (&["application/openmetrics-text;q=0.000, text/plain;q=0.1"], Format::Text),
            (&["application/openmetrics-text2, x/application/openmetrics-text"], Format::Text),
        ] {
            let lines = lines.iter().map(|line| (http::header::ACCEPT, HeaderValue::from_static(line)));
            let mut request = HeaderMap::new();
            lines.for_each(|(name, value)| assert!(request.try_append(name, value).is_ok()));
            assert_eq!(Format::accepted(&request), format, "{request:?}");
        }
    }

    #[test]
    fn that_no_answer_of_a_route_was_old_is_said_before_the_first_one_is() {
        let mut totals = Totals::default();
        totals.verified.insert(("compared".into(), Verified::Same), 3);
        totals.verified.insert(("old".into(), Verified::Different), 2);
        for (compared, asked) in [(vec!["asked".into()], 1), (Vec::new(), 0)] {
            let written = write(Format::Text, totals.clone(), Gauges { compared, ..Gauges::default() });
            assert!(written.contains("aside_stale_served_total{reason=\"stale-if-error\"} 0\n"), "{written}");
            let count = |route: &str, count: u64| {
                let line = format!("aside_verified_total{{route=\"{route}\",result=\"different\"}} {count}\n");
                written.matches(&line).count()
            };
            assert_eq!((count("asked", 0), count("compared", 0), count("old", 2)), (asked, 1, 1), "{written}");
        }
    }
}
