//! Request bodies that come too slowly, on a clock that jumps ahead whenever everybody waits for it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aside::clock::Clock;
use aside::config::Config;
use aside::handler::{Client, Exchange, Handled, Handlers as _};
use aside::telemetry::Recorder;
use aside::{origin, proxy, store};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::support::origin::{self as origins, Gate, Origin, say};

/// A client's connection to a proxy that runs in the test's own runtime, so that they share its clock.
fn connect(origin: SocketAddr, config: &str) -> DuplexStream {
    let text = format!("[origin]\nurl = \"http://{origin}\"\n{config}");
    let config = Config::from_text("test.toml", &text, |_| None).unwrap_or_else(|error| panic!("{error}"));
    let parts = proxy::Parts::new(
        proxy::Shared::new(config.proxy, Clock::System, Recorder::default()),
        store::Shared::new(&config.store),
        Arc::new(origin::Shared::new(config.origin, &Clock::System)),
    );
    let proxy = parts.attach();
    let (client, server) = tokio::io::duplex(64 << 10);
    tokio::spawn(async move {
        let service = service_fn(move |request| {
            let exchange = Exchange { client: Client::default(), interim: None, share: None };
            let handled = Arc::clone(&proxy).handle(request, exchange);
            async move {
                Ok::<_, Infallible>(match handled {
                    Handled::Now(answer) => answer,
                    Handled::Later(answer) => answer.await,
                })
            }
        });
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service).await;
    });
    client
}

fn head(length: usize) -> String {
    format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

/// Sends a byte now and then until the proxy has had enough; comes back with how long that took and what it said.
async fn drip(client: &mut DuplexStream, pause: Duration, most: usize) -> (Duration, String) {
    let start = tokio::time::Instant::now();
    let mut answer = vec![0; 4096];
    for _ in 0..most {
        tokio::select! {
            read = client.read(&mut answer) => {
                return (start.elapsed(), String::from_utf8_lossy(&answer[..read.unwrap()]).into_owned());
            }
            () = tokio::time::sleep(pause) => drop(client.write_all(b"x").await),
        }
    }
    panic!("still going after {:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_small_body_that_drips_is_given_up_before_the_origin_sees_it() {
    let origin = Origin::counting().await;
    for (config, longest) in [("", 12), ("[limits]\nbody_rate = \"1B\"\n", 20)] {
        let mut client = connect(origin.address, config);
        client.write_all(head(1000).as_bytes()).await.unwrap();
        let (took, answer) = drip(&mut client, Duration::from_secs(2), 100).await;
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("connection: close"), "{answer}");
        assert!(took >= Duration::from_secs(10) && took <= Duration::from_secs(longest), "{took:?} {config}");
    }
    assert_eq!(origin.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_rate_only_silence_counts() {
    let origin = Origin::counting().await;
    let mut client = connect(origin.address, "[limits]\nbody_rate = \"0B\"\n");
    client.write_all(head(1000).as_bytes()).await.unwrap();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_secs(29)).await;
        client.write_all(b"x").await.unwrap();
    }
    let (took, answer) = drip(&mut client, Duration::from_secs(31), 2).await;
    assert!(answer.starts_with("HTTP/1.1 408") && took < Duration::from_secs(31), "{took:?} {answer}");
}

#[tokio::test]
async fn a_large_upload_that_begins_fast_and_then_drips_is_given_up() {
    let (gate, mut keeper) = Gate::new();
    let origin = origins::raw(move |_, mut stream| {
        let gate = gate.clone();
        async move {
            stream.read_exact(&mut vec![0; 150_000]).await.unwrap();
            gate.pass().await;
            while stream.read_u8().await.is_ok() {}
        }
    })
    .await;
    let mut client = connect(origin, "");
    client.write_all(head(200_000).as_bytes()).await.unwrap();
    client.write_all(&vec![b'x'; 150_000]).await.unwrap();
    keeper.arrived().await;
    keeper.let_go(1);
    tokio::time::pause();
    let (took, answer) = drip(&mut client, Duration::from_secs(5), 100).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(took >= Duration::from_secs(9) && took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test]
async fn an_origin_that_takes_its_time_costs_the_client_nothing() {
    let (gate, mut keeper) = Gate::new();
    // More than the kernel takes in the origin's place.
    let size = 32 << 20;
    let origin = origins::raw(move |_, mut stream| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            // Far longer than the grace.
            for _ in 0..16 {
                tokio::time::sleep(Duration::from_secs(20)).await;
                stream.read_exact(&mut vec![0; size / 16]).await.unwrap();
            }
            say(&mut stream, "HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    })
    .await;
    // A kernel that buffers much lets the origin look silent for longer than it is.
    let config = "response_timeout = \"10m\"\n[limits]\nbody_rate = \"1MB\"\n";
    let (mut answers, mut uploads) = tokio::io::split(connect(origin, config));
    let uploading = tokio::spawn(async move {
        uploads.write_all(head(size).as_bytes()).await.unwrap();
        uploads.write_all(&vec![b'x'; size - 1000]).await.unwrap();
        // Within the grace, which the origin's time has not used up.
        tokio::time::sleep(Duration::from_secs(2)).await;
        uploads.write_all(&[b'x'; 1000]).await.unwrap();
        uploads
    });
    keeper.arrived().await;
    tokio::time::pause();
    // A clock that stands still jumps to the next timer whenever nobody has anything to do, also while bytes are on their
    // way through the kernel. So each of its seconds takes a while.
    let seconds = tokio::spawn(async {
        loop {
            tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(5))).await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    keeper.let_go(1);
    let mut status = [0; 12];
    answers.read_exact(&mut status).await.unwrap();
    seconds.abort();
    assert_eq!(&status, b"HTTP/1.1 204");
    drop(uploading.await.unwrap());
}
