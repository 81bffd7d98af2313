//! Each example of docs/admin.md, as a person would run it.

use std::path::Path;

use crate::support::node::Process;
use crate::support::origin::Origin;
use crate::{Answer, ROUTES, over_unix, request};

const PAGE: &str = include_str!("../../docs/admin.md");

/// The words of a command, with those in quotes as one.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for character in line.chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            other => word.push(other),
        }
    }
    words.push(word);
    words
}

/// What curl would send.
fn sent(socket: &Path, line: &str) -> (String, Answer) {
    let (mut method, mut fields, mut body, mut target) = ("GET".to_owned(), Vec::new(), String::new(), None);
    let mut words = words(line).into_iter().skip(1);
    while let Some(word) = words.next() {
        match &*word {
            "--unix-socket" => assert_eq!(words.next().unwrap(), "$SOCKET", "{line}"),
            "-X" => method = words.next().unwrap(),
            "-H" => fields.push(words.next().unwrap()),
            "-d" => body = words.next().unwrap(),
            url => target = Some(url.strip_prefix("http://localhost").unwrap_or_else(|| panic!("{line}")).to_owned()),
        }
    }
    fields.push("host: localhost".to_owned());
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let target = target.unwrap_or_else(|| panic!("{line}"));
    let answer = over_unix(socket, &request(&method, &target, &fields, &body));
    (target, answer)
}

#[tokio::test]
async fn every_example_of_the_page_is_answered() {
    let origin = Origin::counting().await;
    let process = Process::start(origin.address, "memory://", ROUTES).await;
    process.client().fill(&["/fruit/1"]).await;
    let lines: Vec<&str> = PAGE.lines().filter(|line| line.starts_with("curl ")).collect();
    assert!(lines.len() > 8, "{lines:?}");
    for line in lines {
        let (target, answer) = sent(&process.admin_socket(), line);
        assert_eq!(answer.status, 200, "{line}: {}", answer.body);
        if target != "/metrics" {
            answer.json();
        }
    }
}
