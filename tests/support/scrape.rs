//! What a scrape says, read so that nothing slips in that the table of metrics does not have.

use std::collections::HashSet;

use aside::telemetry::METRICS;

/// A strict reader of the text format: every line is a comment of a known metric or a sample of one, with its labels alone;
/// buckets only grow. Comes back with how many requests it tells of.
pub fn read_strictly(text: &str) -> u64 {
    let (mut seen, mut sum, mut last) = (HashSet::new(), 0, (String::new(), 0.0));
    for line in text.lines() {
        if line.starts_with("# ") {
            let name = line.split(' ').nth(2).unwrap();
            assert!(METRICS.iter().any(|metric| metric.name == name), "{line}");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(seen.insert(series.to_owned()), "twice: {line}");
        let value: f64 = value.parse().unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let metric = METRICS.iter().find(|metric| {
            let of = |suffix| name.strip_suffix(suffix) == Some(metric.name);
            name == metric.name || (metric.kind == "histogram" && (of("_bucket") || of("_sum") || of("_count")))
        });
        let metric = metric.unwrap_or_else(|| panic!("no metric: {line}"));
        let labels = labels.strip_suffix('}').unwrap();
        let names: Vec<_> = labels
            .split("\",")
            .filter(|label| !label.is_empty())
            .map(|label| label.split('=').next().unwrap())
            .collect();
        let plain: Vec<_> = names.iter().filter(|name| **name != "le").copied().collect();
        assert_eq!(plain, metric.labels, "{line}");
        if name == "aside_requests_total" {
            sum += line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap();
        }
        if let Some((of, _)) = series.split_once("le=") {
            assert!(last.0 != of || value >= last.1, "{line} after {last:?}");
            last = (of.to_owned(), value);
        }
    }
    sum
}
