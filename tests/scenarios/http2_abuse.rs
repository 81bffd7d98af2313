//! Clients that misuse HTTP/2 on purpose lose their connection, or what they asked for; others are served meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    frame, frames,
};
use super::support::node::Node;
use super::support::origin::{Origin, json, response};
use super::support::tls::H2;

/// `GET http://a/` in indexed fields and one literal.
const GET: &[u8] = b"\x82\x86\x84\x41\x01a";

/// The kinds of frames, with their streams and payloads, that came before the server closed; `None` when it did not
/// close within ten seconds.
async fn until_closed(stream: &mut TcpStream) -> Option<Vec<(u8, u32, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let reading = async { while matches!(stream.read_buf(&mut bytes).await, Ok(n) if n > 0) {} };
    tokio::time::timeout(Duration::from_secs(10), reading).await.ok()?;
    Some(frames(&bytes))
}

/// What came until a frame is as wanted, or until the server closes.
async fn until_frame(stream: &mut TcpStream, wanted: impl Fn(&(u8, u32, Vec<u8>)) -> bool) -> Vec<(u8, u32, Vec<u8>)> {
    let mut bytes = Vec::new();
    let reading = async {
        while !frames(&bytes).iter().any(&wanted) && matches!(stream.read_buf(&mut bytes).await, Ok(n) if n > 0) {}
    };
    let _ = tokio::time::timeout(Duration::from_secs(10), reading).await;
    frames(&bytes)
}

async fn begin(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    stream
}

/// Sends all of it, or as much as the server takes.
async fn flood(stream: &mut TcpStream, bytes: &[u8]) {
    let _ =
        tokio::time::timeout(Duration::from_secs(20), stream.write_all(bytes)).await.expect("it is read or refused");
}

async fn node(limits: &str) -> (Node, Origin) {
    let origin = Origin::counting().await;
    (Node::start(origin.address, &format!("[clients]\nhttp2 = \"always\"\n{limits}")), origin)
}

/// Ends with this error code in GOAWAY.
fn goes_away(frames: &[(u8, u32, Vec<u8>)]) -> Option<u32> {
    let (_, _, payload) = frames.iter().find(|(kind, _, _)| *kind == GOAWAY)?;
    Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()))
}

/// `431` in the Huffman code of HPACK.
const STATUS_431: [u8; 3] = [0x69, 0x90, 0xff];
const ENHANCE_YOUR_CALM: u32 = 11;
const PROTOCOL_ERROR: u32 = 1;

#[tokio::test]
async fn streams_that_are_opened_and_reset_at_once_end_the_connection() {
    let (node, origin) = node("").await;
    let mut stream = begin(node.address).await;
    let mut bytes = Vec::new();
    for id in (1..20_001).step_by(2) {
        bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, id, GET));
        bytes.extend(frame(RST_STREAM, 0, id, &8u32.to_be_bytes()));
    }
    flood(&mut stream, &bytes).await;
    let frames = until_closed(&mut stream).await.expect("the connection is ended");
    assert!(goes_away(&frames).is_none_or(|code| code == ENHANCE_YOUR_CALM), "{frames:?}");
    assert!(origin.count() < 100, "{} of 10000 requests reached the origin", origin.count());
    assert_eq!(node.client().get("/x").await.status, 200);
}

#[tokio::test]
async fn requests_that_are_given_up_once_the_origin_has_them_end_the_connection_too() {
    let (origin, mut keeper) = Origin::gated(|| json("{}")).await;
    let node = Node::start(origin.address, "[clients]\nhttp2 = \"always\"\n");
    let mut stream = begin(node.address).await;
    let post = b"\x83\x86\x84\x41\x01a";
    let mut given_up = 0;
    for id in (1..1201).step_by(2) {
        let _ = stream.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, id, post)).await;
        if tokio::time::timeout(Duration::from_secs(5), keeper.arrived()).await.is_err() {
            break;
        }
        if stream.write_all(&frame(RST_STREAM, 0, id, &8u32.to_be_bytes())).await.is_err() {
            break;
        }
        given_up += 1;
    }
    assert!((200..250).contains(&given_up), "{given_up}");
    assert!(until_closed(&mut stream).await.is_some());
    keeper.let_go(1000);
}

#[tokio::test]
async fn a_head_that_never_ends_ends_the_connection() {
    let (node, _) = node("").await;
    let mut stream = begin(node.address).await;
    let mut bytes = frame(HEADERS, END_STREAM, 1, GET);
    for n in 0..20_000 {
        let name = format!("x-{n:05}");
        let field = [&[0, 7][..], name.as_bytes(), &[1], b"a"].concat();
        bytes.extend(frame(CONTINUATION, 0, 1, &field));
    }
    flood(&mut stream, &bytes).await;
    until_closed(&mut stream).await.expect("the connection is ended");
    assert_eq!(node.client().get("/x").await.status, 200);
}

#[tokio::test]
async fn a_head_that_stops_half_way_ends_the_connection_though_it_answers_nothing() {
    let (node, _) = node("[limits]\nidle_timeout = \"200ms\"\nheader_timeout = \"300ms\"\n").await;
    let mut stream = begin(node.address).await;
    stream.write_all(&frame(HEADERS, END_STREAM, 1, GET)).await.unwrap();
    until_closed(&mut stream).await.expect("the connection is ended, long before `write_stall`");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_a_431_and_reaches_nobody() {
    let (node, origin) = node("").await;
    let (client, _) = H2::to(node.address).await;
    let large = "a".repeat(7000);
    let fields = [("x-a", large.as_str()), ("x-b", &large), ("x-c", &large)];
    // The client knows the limit from the settings and may refuse by itself, so the server is asked for the first time.
    let status = client.try_send("GET", "http://a/x", &fields, "").await.map(|answer| answer.status);
    assert!(matches!(status, Ok(431) | Err(_)), "{status:?}");
    assert_eq!(origin.count(), 0);
    let mut stream = begin(node.address).await;
    let mut head = GET.to_vec();
    for name in [b'a', b'b', b'c'] {
        // 7000 in a 7-bit prefix: 127, then 6873 in groups of seven bits.
        head.extend([0, 1, name, 0x7f, 0xd9, 0x35]);
        head.extend(large.as_bytes());
    }
    let (first, rest) = head.split_at(16_000);
    stream.write_all(&frame(HEADERS, END_STREAM, 1, first)).await.unwrap();
    stream.write_all(&frame(CONTINUATION, END_HEADERS, 1, rest)).await.unwrap();
    stream.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 3, GET)).await.unwrap();
    let is_answer = |id| move |(kind, stream, _): &(u8, u32, Vec<u8>)| *kind == HEADERS && *stream == id;
    let frames = until_frame(&mut stream, is_answer(3)).await;
    let (_, _, head) = frames.iter().find(|frame| is_answer(1)(frame)).expect("the first is answered");
    assert!(head.windows(3).any(|three| three == STATUS_431), "{head:?}");
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn floods_of_settings_and_pings_keep_nobody_else_from_being_served() {
    let (node, _) = node("[limits]\nwrite_stall = \"500ms\"\n").await;
    let setting = [0, 4, 0, 0, 255, 255];
    for one in [frame(SETTINGS, 0, 0, &setting), frame(PING, 0, 0, &[7; 8]), frame(DATA, 0, 1, &[])] {
        let mut stream = begin(node.address).await;
        let flooding = tokio::spawn(async move {
            // Nothing is read, so that the answers pile up: the server must stop reading, and give the client up.
            let many = one.repeat(1000);
            let sending = async { while stream.write_all(&many).await.is_ok() {} };
            tokio::time::timeout(Duration::from_secs(20), sending).await.is_ok()
        });
        for _ in 0..5 {
            assert_eq!(node.client().on_new_connections().get("/x").await.status, 200);
        }
        assert!(flooding.await.unwrap(), "the client is given up");
    }
}

#[tokio::test]
async fn a_preface_that_is_none_and_frames_that_are_none_end_the_connection() {
    let (node, origin) = node("").await;
    for wrong in [
        [PREFACE, &frame(DATA, 0, 0, b"x")].concat(),
        [PREFACE, &frame(SETTINGS, 0, 0, &[1, 2, 3])].concat(),
        [PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(WINDOW_UPDATE, 0, 0, &[0; 4])].concat(),
        [PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(HEADERS, END_HEADERS, 2, GET)].concat(),
        [PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff")].concat(),
        [PREFACE, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"].concat(),
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec(),
    ] {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(&wrong).await.unwrap();
        until_closed(&mut stream).await.unwrap_or_else(|| panic!("{wrong:?}"));
    }
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn fields_that_belong_to_a_connection_are_malformed() {
    let (node, origin) = node("").await;
    for (name, value) in [("connection", "close"), ("transfer-encoding", "chunked"), ("te", "gzip"), ("X-Upper", "1")] {
        let mut stream = begin(node.address).await;
        let (name_length, value_length) = (u8::try_from(name.len()).unwrap(), u8::try_from(value.len()).unwrap());
        let field = [&[0, name_length][..], name.as_bytes(), &[value_length], value.as_bytes()].concat();
        let head = [GET, &field].concat();
        stream.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &head)).await.unwrap();
        let refuses = |(kind, stream, payload): &(u8, u32, Vec<u8>)| {
            *kind == RST_STREAM && *stream == 1 && *payload == PROTOCOL_ERROR.to_be_bytes()
        };
        let frames = until_frame(&mut stream, refuses).await;
        let refused = frames.iter().any(refuses);
        assert!(refused || goes_away(&frames) == Some(PROTOCOL_ERROR), "{name}: {frames:?}");
    }
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn a_host_is_needed_and_either_field_for_it_will_do() {
    const WITHOUT: &[u8] = b"\x82\x86\x84";
    let (node, origin) = node("").await;
    let with_host = [WITHOUT, b"\x00\x04host\x07shop.eu"].concat();
    // `:status: 400` and `:status: 200` have a place in the static table.
    for (head, status) in [(WITHOUT, 0x8c), (&with_host[..], 0x88), (GET, 0x88)] {
        let mut stream = begin(node.address).await;
        stream.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, head)).await.unwrap();
        let is_answer = |(kind, _, _): &(u8, u32, Vec<u8>)| *kind == HEADERS;
        let frames = until_frame(&mut stream, is_answer).await;
        let (_, _, answer) = frames.iter().find(|frame| is_answer(frame)).expect("an answer");
        assert_eq!(answer[0], status, "{head:?}");
    }
    let hosts: Vec<_> = origin.asked().iter().map(|asked| asked.field("x-forwarded-host").map(str::to_owned)).collect();
    assert_eq!(hosts, [Some("shop.eu".to_owned()), Some("a".to_owned())]);
}

#[tokio::test]
async fn a_client_that_never_opens_a_streams_window_loses_that_stream_and_no_other() {
    let origin = Origin::start(|asked| async move {
        // The client's windows: 2 MiB for a stream, 5 MiB for the connection.
        let size = if asked.path() == "/large" { 4 << 20 } else { 10 };
        response(200, &[], &"a".repeat(size))
    })
    .await;
    let node = Node::start(origin.address, "[clients]\nhttp2 = \"always\"\n[limits]\nwrite_stall = \"500ms\"\n");
    let (client, _) = H2::to(node.address).await;
    let large = client.begin("GET", "http://a/large", &[], "").await.unwrap();
    // It is not read, so its window stays closed; the connection goes on.
    for _ in 0..10 {
        assert_eq!(client.get("http://a/small").await.status, 200);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert!(large.into_body().collect().await.is_err(), "the stream was reset");
    assert_eq!(client.get("http://a/small").await.status, 200);
}

#[tokio::test]
async fn a_client_that_reads_slowly_gets_all_of_it() {
    let origin = Origin::start(|_| async { response(200, &[], &"a".repeat(16 << 20)) }).await;
    let node = Node::start(origin.address, "[clients]\nhttp2 = \"always\"\n[limits]\nwrite_stall = \"2s\"\n");
    let (client, _) = H2::to(node.address).await;
    let mut body = client.begin("GET", "http://a/large", &[], "").await.unwrap().into_body();
    let mut size = 0;
    let mut pieces = 0u32;
    while let Some(frame) = body.frame().await {
        size += frame.unwrap().into_data().unwrap().len();
        pieces += 1;
        if pieces.is_multiple_of(64) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    assert_eq!(size, 16 << 20);
}
