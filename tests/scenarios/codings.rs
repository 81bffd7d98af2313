//! Content codings towards clients: made from a whole identity body, and never in the way of anything else.

use std::io::Read;

use super::support::client::Answer;
use super::support::node::Node;
use super::support::origin::{Gate, Origin, response};

const ROUTE: &str = "[[route]]\npath = \"/x/{id}\"\nttl = \"1h\"\n";
const CODINGS: [&str; 3] = ["gzip", "br", "zstd"];

fn text() -> String {
    (0..200).map(|n| format!("{{\"line\": {n}}}\n")).collect::<Vec<_>>().concat()
}

/// The body with its coding undone by another's decoder.
fn decoded(answer: &Answer) -> String {
    let mut text = String::new();
    let body = &answer.body[..];
    match answer.field("content-encoding") {
        "gzip" => flate2::read::MultiGzDecoder::new(body).read_to_string(&mut text).unwrap(),
        "br" => brotli::Decompressor::new(body, 4096).read_to_string(&mut text).unwrap(),
        "zstd" => zstd::stream::read::Decoder::new(body).unwrap().read_to_string(&mut text).unwrap(),
        "" => return answer.text().to_owned(),
        other => panic!("{other}"),
    };
    text
}

async fn of_text(fields: &'static [(&'static str, &'static str)]) -> Origin {
    Origin::start(move |_| async move {
        let kind = ("content-type", "text/plain; charset=utf-8");
        response(200, &[&[kind], fields].concat(), &text())
    })
    .await
}

#[tokio::test]
async fn fills_and_hits_come_in_the_coding_that_the_client_accepts() {
    let origin = of_text(&[("etag", "\"v1\""), ("accept-ranges", "bytes"), ("repr-digest", "sha-256=:AAAA:")]).await;
    let node = Node::start(origin.address, ROUTE);
    let client = node.client();
    for (id, coding) in CODINGS.iter().enumerate() {
        for cache in ["MISS", "HIT", "HIT"] {
            let answer = client.get_with(&format!("/x/{id}"), &[("accept-encoding", coding)]).await;
            assert_eq!((answer.cache(), answer.field("content-encoding")), (cache, *coding));
            assert_eq!(decoded(&answer), text());
            assert!(answer.body.len() < text().len() / 2, "{}", answer.body.len());
            assert_eq!(answer.field("content-length"), answer.body.len().to_string());
            assert_eq!((answer.field("etag"), answer.field("vary")), ("W/\"v1;aside\"", "Accept-Encoding"));
            assert_eq!((answer.field("accept-ranges"), answer.field("repr-digest")), ("", ""));
        }
    }
    // One entry a key, whatever the client accepts, and the origin was asked for identity.
    assert_eq!(origin.count(), 3);
    assert!(origin.asked().iter().all(|asked| asked.field("accept-encoding") == Some("identity")));
}

#[tokio::test]
async fn without_accept_encoding_every_byte_is_the_origins() {
    let origin = of_text(&[("etag", "\"v1\""), ("accept-ranges", "bytes")]).await;
    let node = Node::start(origin.address, ROUTE);
    let client = node.client();
    for fields in [&[][..], &[("accept-encoding", "gzip")], &[], &[("accept-encoding", "identity")]] {
        let answer = client.get_with("/x/1", fields).await;
        assert_eq!(decoded(&answer), text());
        assert_eq!(answer.field("vary"), "Accept-Encoding", "it would have differed");
        if fields != [("accept-encoding", "gzip")] {
            assert_eq!((answer.field("content-encoding"), answer.field("etag")), ("", "\"v1\""));
            assert_eq!(answer.field("accept-ranges"), "bytes");
        }
    }
}

#[tokio::test]
async fn what_a_browser_knows_in_any_coding_is_confirmed() {
    let origin = of_text(&[]).await;
    let node = Node::start(origin.address, ROUTE);
    let client = node.client();
    let plain = client.get("/x/1").await.field("etag").to_owned();
    let weak = client.get_with("/x/1", &[("accept-encoding", "br")]).await.field("etag").to_owned();
    assert_eq!(weak, format!("W/{};aside\"", plain.strip_suffix('"').unwrap()));
    for (tag, coding, expected) in
        [(&weak, "br", &weak), (&weak, "gzip", &weak), (&plain, "br", &weak), (&weak, "", &plain), (&plain, "", &plain)]
    {
        let answer = client.get_with("/x/1", &[("if-none-match", tag), ("accept-encoding", coding)]).await;
        assert_eq!((answer.status, answer.field("etag"), answer.field("vary")), (304, &**expected, "Accept-Encoding"));
        assert_eq!((answer.field("content-encoding"), answer.body.len()), ("", 0));
    }
}

#[tokio::test]
async fn annotated_answers_are_encoded_and_confirmed() {
    let body = format!("{{\"data\":\"{}\"}}", "x".repeat(2000));
    let expected = |hit: bool| format!("{},\"from_cache\":{hit}}}", body.strip_suffix('}').unwrap());
    let answered = body.clone();
    let origin = Origin::start(move |_| {
        let body = answered.clone();
        async move { super::support::origin::json(&body) }
    })
    .await;
    let annotate = "annotate = { field = \"from_cache\", hit = true, miss = false }\n";
    let node = Node::start(origin.address, &format!("{ROUTE}{annotate}"));
    let client = node.client();
    let accept = ("accept-encoding", "gzip");
    for hit in [false, true] {
        let answer = client.get_with("/x/1", &[accept]).await;
        assert_eq!((answer.field("content-encoding"), decoded(&answer)), ("gzip", expected(hit)));
        assert!(answer.field("etag").starts_with("W/\""));
        let again = client.get_with("/x/1", &[accept, ("if-none-match", answer.field("etag"))]).await;
        assert_eq!((again.status, again.field("etag")), (304, answer.field("etag")));
    }
}

#[tokio::test]
async fn a_head_says_what_a_get_would() {
    let origin = of_text(&[]).await;
    let node = Node::start(origin.address, ROUTE);
    let client = node.client();
    client.get("/x/1").await;
    for accept in ["br", "gzip", "identity"] {
        let get = client.get_with("/x/1", &[("accept-encoding", accept)]).await;
        let head = client.send("HEAD", "/x/1", &[("accept-encoding", accept)], "").await;
        assert_eq!(head.body.len(), 0);
        for name in ["content-encoding", "content-length", "etag", "vary", "accept-ranges"] {
            assert_eq!(head.field(name), get.field(name), "{name} {accept}");
        }
    }
}

#[tokio::test]
async fn what_is_not_to_be_encoded_is_not() {
    let (text, small) = (text(), "x".repeat(1023));
    let cases = [
        ("text/plain", "x-a", small),
        ("image/png", "x-a", text.clone()),
        ("", "x-a", text.clone()),
        ("text/plain", "cache-control", text.clone()),
    ];
    for (kind, field, body) in cases {
        let sent = body.clone();
        let origin = Origin::start(move |_| {
            let body = sent.clone();
            async move { response(200, &[("content-type", kind), (field, "no-transform")], &body) }
        })
        .await;
        let node = Node::start(origin.address, ROUTE);
        for _ in 0..2 {
            let answer = node.client().get_with("/x/1", &[("accept-encoding", "gzip, br, zstd")]).await;
            assert_eq!((answer.field("content-encoding"), answer.text()), ("", &*body), "{kind} {field}");
            assert_eq!(answer.field("vary"), "");
        }
    }
}

#[tokio::test]
async fn a_client_or_a_route_or_the_configuration_can_do_without() {
    let origin = of_text(&[]).await;
    let accept = ("accept-encoding", "gzip");
    let node = Node::start(origin.address, ROUTE);
    let answer = node.client().get_with("/x/1", &[accept, ("cache-control", "no-transform")]).await;
    assert_eq!((answer.field("content-encoding"), answer.field("vary")), ("", "Accept-Encoding"));
    for config in [format!("{ROUTE}compress = false\n"), format!("{ROUTE}[clients]\ncompression = []\n")] {
        let node = Node::start(origin.address, &config);
        let answer = node.client().get_with("/x/1", &[accept]).await;
        assert_eq!((answer.field("content-encoding"), answer.field("vary")), ("", ""), "{config}");
    }
    let node = Node::start(origin.address, &format!("{ROUTE}[clients]\ncompression = [\"br\"]\n"));
    assert_eq!(node.client().get_with("/x/1", &[accept]).await.field("content-encoding"), "");
    let answer = node.client().get_with("/x/1", &[("accept-encoding", "gzip, br;q=0.1")]).await;
    assert_eq!(answer.field("content-encoding"), "br");
}

#[tokio::test]
async fn an_answer_for_one_identity_is_never_encoded() {
    let origin = of_text(&[]).await;
    let node = Node::start(origin.address, &format!("{ROUTE}cookies = \"key\"\nauthorization = \"key\"\n"));
    let client = node.client();
    for credential in [("cookie", "a=b"), ("authorization", "x"), ("x-api-key", "x")] {
        for cache in ["MISS", "HIT"] {
            let answer = client.get_with("/x/1", &[("accept-encoding", "gzip"), credential]).await;
            assert_eq!((answer.cache(), answer.field("content-encoding")), (cache, ""), "{credential:?}");
        }
    }
    client.get("/x/1").await;
    let shared = client.get_with("/x/1", &[("accept-encoding", "gzip")]).await;
    assert_eq!(shared.field("content-encoding"), "gzip");
    // One that bypasses the cache passes through as it is, whatever the client accepts.
    let node = Node::start(origin.address, ROUTE);
    let passed = node.client().get_with("/x/1", &[("accept-encoding", "gzip"), ("cookie", "a=b")]).await;
    assert_eq!((passed.cache(), passed.field("content-encoding"), passed.field("vary")), ("BYPASS", "", ""));
}

#[tokio::test]
async fn paths_without_a_route_and_stale_answers_are_encoded_too() {
    let origin = Origin::start(|asked| async move {
        let cache = [("content-type", "text/css"), ("cache-control", "max-age=10, stale-while-revalidate=60")];
        let vary = ("vary", "accept-language");
        let fields = if asked.path() == "/vary" { [&cache[..], &[vary]].concat() } else { cache.to_vec() };
        response(200, &fields, &text())
    })
    .await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    for (target, vary) in [("/x", &["Accept-Encoding"][..]), ("/vary", &["accept-language", "Accept-Encoding"])] {
        for (cache, seconds) in [("MISS", 0), ("HIT", 0), ("STALE", 20)] {
            node.clock.advance(std::time::Duration::from_secs(seconds));
            let answer = client.get_with(target, &[("accept-encoding", "gzip")]).await;
            assert_eq!((answer.cache(), answer.field("content-encoding")), (cache, "gzip"), "{target}");
            assert_eq!(answer.fields.get_all("vary").iter().collect::<Vec<_>>(), vary);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_gets_its_own_coding() {
    let (gate, mut keeper) = Gate::new();
    let origin = Origin::start(move |_| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            response(200, &[("content-type", "text/plain")], &text())
        }
    })
    .await;
    let node = Node::start(origin.address, ROUTE);
    let ask = |accept: &'static str| {
        let client = node.client();
        tokio::spawn(async move { client.get_with("/x/1", &[("accept-encoding", accept)]).await })
    };
    let asking: Vec<_> = ["gzip", "br", "zstd", "identity"].map(ask).into();
    keeper.arrived().await;
    keeper.let_go(4);
    let mut codings = Vec::new();
    for asked in asking {
        let answer = asked.await.unwrap();
        assert_eq!(decoded(&answer), text());
        codings.push(answer.field("content-encoding").to_owned());
    }
    assert_eq!(codings, ["gzip", "br", "zstd", ""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_are_encoded_off_the_cores_thread() {
    let body = text().repeat(50);
    let sent = body.clone();
    let origin = Origin::start(move |_| {
        let body = sent.clone();
        async move { response(200, &[("content-type", "text/plain")], &body) }
    })
    .await;
    let node = Node::start(origin.address, ROUTE);
    let client = node.client();
    for coding in CODINGS {
        let encoded = || async {
            let answer = client.get_with("/x/1", &[("accept-encoding", coding)]).await;
            assert_eq!(decoded(&answer), body);
            answer.field("content-encoding") == coding
        };
        super::support::until("it comes encoded", encoded).await;
    }
}

/// An origin that encodes whatever it is asked for.
async fn encoding() -> Origin {
    Origin::start(|_| async {
        let fields = [("content-type", "text/plain"), ("content-encoding", "gzip"), ("cache-control", "max-age=60")];
        response(200, &fields, &format!("{:2000}", "gzipped, supposedly"))
    })
    .await
}

#[tokio::test]
async fn what_the_origin_encoded_unasked_is_kept_for_nobody_who_shares_the_key() {
    let origin = encoding().await;
    let node = Node::start(origin.address, ROUTE);
    for _ in 0..2 {
        let answer = node.client().get_with("/x/1", &[("accept-encoding", "br")]).await;
        assert_eq!((answer.cache(), answer.field("content-encoding")), ("MISS", "gzip"), "as it came");
        assert!(answer.cache_status().ends_with("detail=encoding"), "{}", answer.cache_status());
    }
    // Where the key says who accepts it, it is kept.
    let node = Node::start(origin.address, &format!("{ROUTE}vary = [\"Accept-Encoding\"]\n"));
    for (accept, cache) in [("gzip", "MISS"), ("gzip", "HIT"), ("br", "MISS")] {
        assert_eq!(node.client().get_with("/x/1", &[("accept-encoding", accept)]).await.cache(), cache);
    }
}

#[tokio::test]
async fn without_a_route_an_encoded_answer_is_for_those_who_asked_alike() {
    let origin = Origin::start(|asked| async move {
        let cache = ("cache-control", "max-age=60");
        // It forgets to say Vary.
        match asked.field("accept-encoding") {
            Some("gzip") => response(200, &[cache, ("content-encoding", "gzip")], "gzipped, supposedly"),
            _ => response(200, &[cache], "plain"),
        }
    })
    .await;
    let node = Node::start(origin.address, "");
    let client = node.client();
    for (accept, cache) in [("gzip", "MISS"), ("gzip", "HIT"), ("identity", "MISS")] {
        let answer = client.get_with("/x", &[("accept-encoding", accept)]).await;
        assert_eq!((answer.cache(), answer.field("content-encoding").is_empty()), (cache, accept != "gzip"));
    }
}

// Else a client that was given a coded copy could no longer say which state it means to change.
#[tokio::test]
async fn a_write_on_the_condition_of_a_coded_copy_names_the_origins_own_tag() {
    let origin = of_text(&[("etag", "\"v1\"")]).await;
    let node = Node::start(origin.address, ROUTE);
    let client = node.client();
    let coded = client.get_with("/x/1", &[("accept-encoding", "gzip")]).await;
    assert_eq!(coded.field("etag"), "W/\"v1;aside\"");
    let condition = format!("\"v0\", {}", coded.field("etag"));
    client.send("PUT", "/x/1", &[("if-match", &condition)], "{}").await;
    assert_eq!(origin.asked().last().unwrap().field("if-match"), Some("\"v0\", \"v1\""));
}
