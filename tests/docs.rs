//! What the documents say of every reason is what the code says.

use aside::fields::Detail;
use aside::telemetry::{METRICS, Metric};

const REASONS: &str = include_str!("../docs/reasons.md");
const METRICS_PAGE: &str = include_str!("../docs/metrics.md");
const BOARD: &str = include_str!("../examples/production/grafana.json");
const ALERTS: &str = include_str!("../examples/production/alerts.yml");
const OPERATING: &str = include_str!("../docs/operating.md");
const DEPLOYMENT: &str = include_str!("../docs/deployment.md");
const CHANGELOG: &str = include_str!("../CHANGELOG.md");
const README: &str = include_str!("../README.md");
const CHOICES: &str = include_str!("../docs/choices.md");
const UNROUTED: &str = include_str!("../src/config/unrouted.rs");

/// The table of all reasons, as `docs/reasons.md` has it.
fn table() -> String {
    let row = |detail: &Detail| format!("| `{}` | {} |\n", detail.as_str(), detail.describe());
    format!("| `detail=` | what it means |\n|---|---|\n{}", Detail::ALL.iter().map(row).collect::<String>())
}

#[test]
fn every_reason_is_in_the_table_with_its_sentence() {
    assert!(REASONS.contains(&table()), "put this table into docs/reasons.md:\n\n{}", table());
    let rows = REASONS.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, Detail::ALL.len() + 1, "docs/reasons.md has a row of a reason that is none");
}

/// The table of all metrics, as `docs/metrics.md` has it.
fn table_of_metrics() -> String {
    let row = |metric: &Metric| {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "\u{2013}".to_owned() } else { labels.join(", ") };
        format!("| `{}` | {} | {labels} | {} |\n", metric.name, metric.kind, metric.help)
    };
    let head = "| metric | kind | labels | what it says |\n|---|---|---|---|\n";
    format!("{head}{}", METRICS.iter().map(row).collect::<String>())
}

#[test]
fn every_metric_is_in_the_table_with_what_it_says() {
    assert!(
        METRICS_PAGE.contains(&table_of_metrics()),
        "put this table into docs/metrics.md:\n\n{}",
        table_of_metrics()
    );
    assert!(README.contains("(docs/metrics.md)"));
}

/// Every word of the text that is the name of a metric of ours, without what a histogram's series have at their ends.
fn metrics_named(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let named = words.filter(|word| word.starts_with("aside_"));
    named
        .map(|word| ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word))
        .collect()
}

#[test]
fn the_board_and_the_alerts_ask_for_metrics_that_there_are() {
    for (file, text) in [("grafana.json", BOARD), ("alerts.yml", ALERTS)] {
        let named = metrics_named(text);
        assert!(named.len() > 8, "{file}");
        for name in named {
            assert!(METRICS.iter().any(|metric| metric.name == name), "{file}: there is no metric {name}");
        }
    }
    let board: serde_json::Value = serde_json::from_str(BOARD).unwrap();
    let panels = board["panels"].as_array().unwrap();
    assert!(panels.iter().all(|panel| panel["targets"].as_array().is_some_and(|targets| !targets.is_empty())));
    for metric in METRICS {
        assert!(
            metrics_named(BOARD).contains(&metric.name) || metric.name == "aside_entries",
            "{} is shown",
            metric.name
        );
    }
}

#[test]
fn operating_says_what_each_alert_means() {
    for alert in ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(OPERATING.contains(&format!("`{alert}`")), "{alert}");
    }
}

#[test]
fn the_readme_names_real_reasons_and_points_at_all_of_them() {
    assert!(README.contains("(docs/reasons.md)"));
    for named in README.split("detail=").skip(1) {
        let word: String = named.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        assert!(word.is_empty() || Detail::ALL.iter().any(|detail| detail.as_str() == word), "{word}");
    }
    assert!(README.contains("detail=no-freshness"), "the reason that everybody meets first");
}

/// The keys of `[unrouted]`, as the struct that reads it has them.
fn keys_of_unrouted() -> Vec<&'static str> {
    let fields = UNROUTED.split("struct RawUnrouted {").nth(1).unwrap_or_default();
    let fields = fields.split('}').next().unwrap_or_default();
    fields.lines().filter_map(|line| Some(line.trim().split_once(": ")?.0)).collect()
}

#[test]
fn every_choice_without_a_route_is_on_the_page_of_choices() {
    let keys = keys_of_unrouted();
    assert!(keys.len() > 10, "{keys:?}");
    for key in keys {
        let row = format!("| `[unrouted] {key}` |");
        assert_eq!(CHOICES.matches(&row).count(), 1, "docs/choices.md has no row that begins with {row}");
    }
    assert!(README.contains("(docs/choices.md)"));
}

const PAGES: [(&str, &str); 10] = [
    ("README.md", README),
    ("docs/admin.md", include_str!("../docs/admin.md")),
    ("docs/choices.md", CHOICES),
    ("docs/deployment.md", DEPLOYMENT),
    ("docs/metrics.md", METRICS_PAGE),
    ("docs/operating.md", OPERATING),
    ("docs/promise.md", include_str!("../docs/promise.md")),
    ("docs/purge.md", include_str!("../docs/purge.md")),
    ("docs/reasons.md", REASONS),
    ("docs/stale.md", include_str!("../docs/stale.md")),
];

/// The commands of a page, as a person types them.
fn typed(page: &str) -> Vec<&str> {
    let (mut block, mut found) = (None, Vec::new());
    for line in page.lines() {
        match (line.strip_prefix("```"), block) {
            (Some(kind), None) => block = Some(kind),
            (Some(_), Some(_)) => block = None,
            (None, Some("console")) => found.extend(line.strip_prefix("$ ")),
            (None, Some("sh" | "bash")) => found.push(line),
            (None, _) => {}
        }
    }
    found
}

#[test]
fn what_a_page_has_typed_every_shell_takes_as_it_is() {
    let mut commands = 0;
    for (name, page) in PAGES {
        for line in typed(page) {
            commands += 1;
            // Whatever is within quotes is every second piece.
            let bare = line.split(['\'', '"']).step_by(2).collect::<String>();
            let bare = bare.split(" #").next().unwrap_or_default();
            assert!(!bare.contains(['?', '*', '[']), "{name}: a shell takes some of this for a pattern: {line}");
        }
    }
    assert!(commands > 10, "{commands}");
}

#[test]
fn each_page_that_says_what_needs_a_restart_names_all_of_it() {
    for (name, page) in
        [("docs/deployment.md", DEPLOYMENT), ("docs/operating.md", OPERATING), ("CHANGELOG.md", CHANGELOG)]
    {
        let text = page.split_whitespace().collect::<Vec<_>>().join(" ");
        let (before, _) = text.split_once(" need a restart").unwrap_or_else(|| panic!("{name}"));
        let sentence = before.rsplit(". ").next().unwrap_or_default();
        for named in ["`listen`", "`[limits] cores`", "`[store]`", "`[admin]`", "`[tls]`"] {
            assert!(sentence.contains(named), "{name} leaves out {named}: {sentence}");
        }
    }
}
