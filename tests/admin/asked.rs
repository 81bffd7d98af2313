//! What it answers.

use std::sync::Arc;

use crate::support::node::Process;
use crate::support::origin::{Origin, response};
use crate::support::scrape::read_strictly;
use crate::support::until;
use crate::{ROUTES, get, over_unix, post, request};

#[tokio::test]
async fn the_status_tells_how_the_process_is() {
    let origin = Origin::counting().await;
    let process = Process::start(origin.address, "memory://", ROUTES).await;
    let answer = over_unix(&process.admin_socket(), &get("/status"));
    assert!(answer.head.to_lowercase().contains("content-type: application/json"));
    assert!(!answer.head.to_lowercase().contains("access-control"));
    let status = answer.json();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["ready"], true);
    assert!(status["uptime_seconds"].as_f64().unwrap() < 600.0);
    assert!(status["config"]["file"].as_str().unwrap().ends_with("proxy.toml"));
    assert_eq!(status["config"]["fingerprint"].as_str().unwrap().len(), 16);
    assert_eq!(status["listen"][0], format!("http://{}", process.address));
    assert_eq!(status["admin"]["listen"], format!("unix:{}", process.admin_socket().display()));
    assert_eq!((&status["store"]["kind"], &status["store"]["url"]), (&"memory".into(), &"memory://".into()));
    let address = &status["origin"]["addresses"][0];
    assert_eq!(address["url"], format!("http://{}", origin.address));
    assert_eq!((&address["circuit"], &address["inflight"]), (&"closed".into(), &0.into()));
    assert_eq!(status["routes"][0]["name"], "/fruit/{id}");
}

#[tokio::test]
async fn what_is_not_understood_is_refused_with_a_sentence() {
    let origin = Origin::counting().await;
    let process = Process::start(origin.address, "memory://", ROUTES).await;
    let asked = |request: &str| over_unix(&process.admin_socket(), request);
    let nowhere = asked(&get("/nowhere"));
    assert_eq!(nowhere.status, 404);
    assert!(nowhere.error(None).contains("/status"));
    let wrong = asked(&get("/reload"));
    assert_eq!(wrong.status, 405);
    assert!(wrong.head.to_lowercase().contains("allow: post"), "{}", wrong.head);
    let wrong = asked(&post("/status", &serde_json::json!({})));
    assert!(wrong.status == 405 && wrong.head.to_lowercase().contains("allow: get, head"), "{}", wrong.head);
    for kind in ["content-type: text/plain", "content-type: application/x-www-form-urlencoded", "accept: */*"] {
        let refused = asked(&request("POST", "/reload", &["host: a", kind], "{}"));
        assert_eq!(refused.status, 415, "{kind}");
        refused.error(Some("content-type"));
    }
    for (request, field) in [
        (get("/status?x=1"), "x"),
        (post("/purge?x=1", &serde_json::json!({ "all": true })), "x"),
        (post("/reload", &serde_json::json!({ "x": 1 })), "x"),
        (request("POST", "/reload", &["host: a", "content-type: application/json"], "[]"), "body"),
    ] {
        let refused = asked(&request);
        assert_eq!(refused.status, 400, "{request}");
        refused.error(Some(field));
    }
    let large = "x".repeat(70_000);
    let refused = asked(&request("POST", "/reload", &["host: a", "content-type: application/json"], &large));
    assert_eq!(refused.status, 413);
    refused.error(Some("body"));
}

#[tokio::test]
async fn the_figures_are_told_in_both_formats_and_for_people() {
    let origin = Origin::counting().await;
    let process = Process::start(origin.address, "memory://", ROUTES).await;
    process.client().fill(&["/fruit/1"]).await;
    process.client().put("/fruit/1", "{}").await;
    let asked = |request: &str| over_unix(&process.admin_socket(), request);
    let plain = asked(&get("/metrics"));
    assert!(plain.head.contains("content-type: text/plain; version=0.0.4"), "{}", plain.head);
    assert!(plain.body.contains("# TYPE aside_requests_total counter"), "{}", plain.body);
    assert!(plain.body.contains("aside_breaker_open{"), "{}", plain.body);
    // Those of a shared store are described, and what needs no lease may be given out.
    for line in ["# TYPE aside_store_operation_seconds histogram", "aside_store_up 1", "aside_lease_valid 1"] {
        assert!(plain.body.lines().any(|told| told == line), "{line}: {}", plain.body);
    }
    let open =
        asked(&request("GET", "/metrics", &["host: a", "accept: application/openmetrics-text; version=1.0.0"], ""));
    assert!(open.head.contains("content-type: application/openmetrics-text"), "{}", open.head);
    assert!(open.body.ends_with("# EOF\n"));
    let recent = asked(&get("/recent")).json();
    assert_eq!((&recent["figures"]["requests"], &recent["figures"]["hits"]), (&3.into(), &1.into()));
    assert_eq!(recent["writes"][0]["path"], "/fruit/1");
    // By the rule that the counter names.
    assert_eq!(
        (&recent["writes"][0]["rule"], &recent["writes"][0]["by"][0]["rule"]),
        (&"default".into(), &"default".into())
    );
    let counted = format!(
        "aside_invalidations_total{{route=\"{}\",rule=\"default\"",
        recent["writes"][0]["by"][0]["route"].as_str().unwrap()
    );
    assert!(asked(&get("/metrics")).body.contains(&counted), "{counted}");
    let status = asked(&get("/status")).json();
    assert_eq!((&status["routes"][0]["requests"], &status["routes"][0]["hits"]), (&3.into(), &1.into()));
    assert_eq!(status["routes"][1]["name"], "-");
}

#[tokio::test]
async fn it_explains_what_memory_holds_and_what_is_fetched_now() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let origin = Origin::start(move |_| {
        let opened = Arc::clone(&opened);
        async move {
            opened.acquire().await.unwrap().forget();
            response(200, &[("etag", "\"1\"")], "x")
        }
    })
    .await;
    let process = Process::start(origin.address, "memory://", ROUTES).await;
    let explained = |target: &str| over_unix(&process.admin_socket(), &get(target));
    let asking = tokio::spawn({
        let client = process.client();
        async move { client.get("/fruit/1").await }
    });
    until("it is fetched", || async { explained("/explain?url=/fruit/1").json()["live"]["fetched_now"] == true }).await;
    gate.add_permits(1);
    assert_eq!(asking.await.unwrap().status, 200);
    let told = explained("/explain?method=GET&url=/fruit/1").json();
    assert_eq!((&told["live"]["verdict"]["outcome"], &told["live"]["fetched_now"]), (&"fresh".into(), &false.into()));
    assert_eq!(told["live"]["store"], "memory://");
    assert!(told["text"].as_str().unwrap().contains("It is reused, fresh for"), "{told}");
    let told = explained("/explain?method=PUT&url=/fruit/1").json();
    assert_eq!(
        (&told["kind"], told["drops"].as_array().is_some_and(|drops| !drops.is_empty())),
        (&"write".into(), true)
    );
    for (query, field) in [
        ("", "url"),
        ("url=fruit", "url"),
        ("url=/a&method=get", "method"),
        ("url=/a&header=x", "header"),
        ("url=/a&x=1", "x"),
    ] {
        let refused = explained(&format!("/explain?{query}"));
        assert_eq!(refused.status, 400, "{query}");
        refused.error(Some(field));
    }
}

#[tokio::test]
async fn it_explains_what_is_answered_in_shadow() {
    let origin = Origin::counting().await;
    let process = Process::start(origin.address, "memory://", &format!("{ROUTES}[verify]\nshadow = true\n")).await;
    let stored = || async {
        let client = process.client();
        client.get("/fruit/1").await.cache_status().contains("detail=shadow")
    };
    until("it is stored", stored).await;
    for method in ["GET", "HEAD"] {
        let told = over_unix(&process.admin_socket(), &get(&format!("/explain?method={method}&url=/fruit/1"))).json();
        let verdict = &told["live"]["verdict"];
        assert_eq!((&verdict["reused"], &verdict["detail"]), (&false.into(), &"shadow".into()), "{told}");
        assert_eq!(verdict["cache_status"], "aside; fwd=bypass; detail=shadow");
        assert!(told["text"].as_str().unwrap().contains("The origin is asked."), "{told}");
    }
}

#[tokio::test]
async fn a_reload_says_what_has_changed_and_a_bad_file_changes_nothing() {
    let origin = Origin::counting().await;
    let process = Process::start(origin.address, "memory://", ROUTES).await;
    let asked = || over_unix(&process.admin_socket(), &post("/reload", &serde_json::json!({})));
    let before = over_unix(&process.admin_socket(), &get("/status")).json();
    let more = "[[route]]\npath = \"/more\"\n[admin]\nlisten = \"off\"\n";
    process.rewrite(origin.address, &format!("{ROUTES}{more}"));
    let answer = asked();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.json();
    assert_eq!(told["changed"][0], "1 route added (/more)");
    assert_eq!(told["needs_restart"][0], "[admin]");
    assert_ne!(told["config"]["fingerprint"], before["config"]["fingerprint"]);
    let status = over_unix(&process.admin_socket(), &get("/status")).json();
    assert_eq!((&status["config"], &status["routes"][1]["name"]), (&told["config"], &"/more".into()));
    process.rewrite(origin.address, &format!("{ROUTES}[[route]]\npath = 5\n"));
    let refused = asked();
    assert_eq!(refused.status, 409);
    assert!(refused.error(None).contains("proxy.toml:"), "{}", refused.body);
    assert_eq!(over_unix(&process.admin_socket(), &get("/status")).json()["config"], told["config"]);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_aside"));
    let place = format!("unix:{}", process.admin_socket().display());
    let output = command.args(["reload", "--admin", &place]).current_dir("/").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("proxy.toml:") && said.lines().count() > 3, "{said}");
}

#[tokio::test]
async fn what_alerts_look_for_is_there_before_it_happens() {
    let origin = Origin::counting().await;
    let verify = "[verify]\nsample = \"1%\"\n";
    let process = Process::start(origin.address, "memory://", &format!("{ROUTES}{verify}")).await;
    let scrape = || over_unix(&process.admin_socket(), &get("/metrics")).body;
    let (old, stale) =
        ("aside_verified_total{route=\"ROUTE\",result=\"different\"} 0\n", "aside_stale_served_total{reason=");
    let text = scrape();
    read_strictly(&text);
    for series in
        [old.replace("ROUTE", "/fruit/{id}"), old.replace("ROUTE", "-"), format!("{stale}\"stale-if-error\"}} 0\n")]
    {
        assert!(text.contains(&series), "{series}{text}");
    }
    assert!(!text.contains("/more"));
    process.rewrite(origin.address, &format!("{ROUTES}[[route]]\npath = \"/more\"\n{verify}"));
    assert_eq!(over_unix(&process.admin_socket(), &post("/reload", &serde_json::json!({}))).status, 200);
    assert!(scrape().contains(&old.replace("ROUTE", "/more")), "of a new route, too");
}

#[tokio::test]
async fn what_is_purged_is_gone_and_what_is_stored_is_listed() {
    let origin = Origin::counting().await;
    let process = Process::start(origin.address, "memory://", ROUTES).await;
    let client = process.client();
    let purge = |body: &serde_json::Value| over_unix(&process.admin_socket(), &post("/purge", body));
    for body in [
        serde_json::json!({ "url": "/fruit/1" }),
        serde_json::json!({ "key": "fruit:1" }),
        serde_json::json!({ "route": "/fruit/{id}" }),
        serde_json::json!({ "prefix": "fruit:" }),
        serde_json::json!({ "all": true }),
    ] {
        client.fill(&["/fruit/1"]).await;
        let answer = purge(&body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json()["soft"], false);
        client.expect(&[("/fruit/1", "MISS"), ("/fruit/1", "HIT")]).await;
    }
    client.fill(&["/fruit/2"]).await;
    let listed = over_unix(&process.admin_socket(), &get("/entries?route=/fruit/%7Bid%7D&limit=1")).json();
    assert_eq!((listed["entries"].as_array().unwrap().len(), &listed["more"]), (1, &true.into()));
    for (body, field) in [
        (serde_json::json!({}), "body"),
        (serde_json::json!({ "key": 5 }), "key"),
        (serde_json::json!({ "route": "nobody's" }), "route"),
        (serde_json::json!({ "path": "/a" }), "path"),
    ] {
        let refused = purge(&body);
        assert_eq!(refused.status, 400, "{body}");
        refused.error(Some(field));
    }
    let soft = purge(&serde_json::json!({ "tag": "red", "soft": true }));
    assert_eq!(soft.status, 200, "{}", soft.body);
    let scrape = over_unix(&process.admin_socket(), &get("/metrics")).body;
    read_strictly(&scrape);
    for (by, mode, result, count) in [
        ("key", "hard", "done", 1),
        ("all", "hard", "done", 1),
        ("route", "hard", "refused", 1),
        ("tag", "soft", "done", 1),
        ("tag", "hard", "pending", 0),
    ] {
        let series = format!("aside_purges_total{{by=\"{by}\",mode=\"{mode}\",result=\"{result}\"}} {count}\n");
        assert!(scrape.contains(&series), "{series}{scrape}");
    }
    let recent = over_unix(&process.admin_socket(), &get("/recent")).json();
    let writes = recent["writes"].as_array().unwrap();
    assert_eq!(writes.len(), 6, "each once, and none that was refused: {writes:?}");
    assert_eq!((&writes[0]["method"], &writes[0]["path"]), (&"PURGE".into(), &"tag red".into()));
    assert_eq!(writes[0]["dropped"], "0 entries, softly");
    let expected = serde_json::json!({ "by": "tag", "mode": "soft", "matched": 0, "more": false, "asked_by": "the admin listener" });
    assert_eq!(writes[0]["purge"], expected);
    assert_eq!((&writes[1]["path"], &writes[5]["path"]), (&"everything".into(), &"url /fruit/1".into()));
    let wrong = request("POST", "/purge", &["host: a", "content-type: application/json"], "{");
    assert_eq!(over_unix(&process.admin_socket(), &wrong).status, 400);
    assert_eq!(over_unix(&process.admin_socket(), &get("/entries?limit=0")).status, 400);
}

#[tokio::test]
async fn an_entry_is_purged_by_each_of_the_tags_that_it_is_listed_with() {
    let long = "long/".repeat(30);
    let fields = [("surrogate-key", "\"Quoted\" plain"), ("cache-groups", "\"News: new\""), ("xkey", &*long)];
    let fields = fields.map(|(name, value)| (name, value.to_owned()));
    let origin = Origin::start(move |_| {
        let fields = fields.clone();
        async move {
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
            response(200, &[&[("content-type", "application/json")], &*fields].concat(), "{\"shop\": 7}")
        }
    })
    .await;
    let routes =
        "[[route]]\npath = \"/fruit/{id}\"\nttl = \"10m\"\ntags = [\"Shop:{response:/shop}\"]\ninvalidated_by = []\n";
    let process = Process::start(origin.address, "memory://", routes).await;
    let client = process.client();
    client.fill(&["/fruit/1"]).await;
    let listed = over_unix(&process.admin_socket(), &get("/entries")).json();
    let listed: Vec<&str> =
        listed["entries"][0]["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
    assert!(
        ["shop:7", "quoted", "plain", "news:new", ":News: new"].iter().all(|tag| listed.contains(tag)),
        "{listed:?}"
    );
    assert!(
        listed.len() == 6 && listed.iter().all(|tag| !tag.starts_with("k:") && !tag.starts_with("r:")),
        "{listed:?}"
    );
    let as_written = ["Shop:7", "\"Quoted\"", "\"plain\"", "\"News: new\"", &*long];
    // As `explain` and the log spell them.
    let spelt = ["n:shop:7", "k:/fruit/{id} /fruit/1", "p:/fruit/{id} /fruit/1", "r:/fruit/{id}"];
    for tag in listed.iter().copied().chain(as_written).chain(spelt) {
        client.fill(&["/fruit/1"]).await;
        let body = serde_json::json!({ "tag": tag });
        let purged = over_unix(&process.admin_socket(), &post("/purge", &body)).json();
        assert_eq!(purged["matched"], 1, "{tag}: {purged}");
        assert_eq!(client.get("/fruit/1").await.cache(), "MISS", "{tag}");
    }
    // What only looks like one, and names no route.
    for tag in ["k:7", "r:shop", "d:7", "p:/fruit/{id}"] {
        let body = serde_json::json!({ "tag": tag });
        assert_eq!(over_unix(&process.admin_socket(), &post("/purge", &body)).json()["matched"], 0, "{tag}");
    }
}

#[tokio::test]
async fn entries_are_listed_by_the_names_that_figures_have_with_how_often_each_was_given_out() {
    let origin = Origin::start(|_| async { response(200, &[("cache-control", "max-age=60")], "{}") }).await;
    let process = Process::start(origin.address, "memory://", ROUTES).await;
    let client = process.client();
    client.fill(&["/fruit/1", "/other"]).await;
    let asked = |target: &str| over_unix(&process.admin_socket(), &get(target));
    let before = asked("/entries?route=-").json()["entries"][0]["hits"].as_u64().unwrap();
    for _ in 0..3 {
        assert_eq!(client.get("/other").await.cache(), "HIT");
    }
    let unrouted = asked("/entries?route=-").json();
    let told = unrouted["entries"].as_array().unwrap();
    assert_eq!((told.len(), &told[0]["route"]), (1, &"-".into()), "{unrouted}");
    assert_eq!(told[0]["hits"].as_u64(), Some(before + 3), "{unrouted}");
    let all = asked("/entries").json();
    let mut routes: Vec<&str> =
        all["entries"].as_array().unwrap().iter().map(|entry| entry["route"].as_str().unwrap()).collect();
    routes.sort_unstable();
    assert_eq!(routes, ["-", "/fruit/{id}"], "{all}");
    let unknown = asked("/entries?route=nope");
    assert_eq!(unknown.status, 400);
    assert!(unknown.error(Some("route")).contains("/fruit/{id}"), "{}", unknown.body);
}
