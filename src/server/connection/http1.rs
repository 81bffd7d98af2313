//! HTTP/1.1 on one connection.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::Version;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::activity::Activity;
use super::timers::{Expired, Timers};
use super::watched::Watched;
use super::{Context, End, drive};
use crate::proxy::{Client, Tunnel};

/// hyper takes no smaller read buffer.
const SMALLEST_BUFFER: usize = 8192;

/// What a client hears whose head did not come in time.
const HEAD_TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How long such a client may take for these few bytes.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Serves until one side closes, a timer ends it, or the server stops. What became a tunnel is served until that ends.
pub(super) async fn serve<S>(
    stream: Watched<S>,
    client: Client,
    activity: Arc<Activity>,
    context: &mut Context,
) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let settings = &context.settings;
    let mut timers = Timers::new(Arc::clone(&activity), settings, true);
    let proxy = Arc::clone(&context.proxy);
    let noted = Arc::clone(&activity);
    let tunnel = Tunnel::default();
    let becoming = tunnel.clone();
    let answers = stream.early_answers();
    let service = service_fn(move |request| {
        let (proxy, under_way, tunnel) = (Arc::clone(&proxy), noted.request(), becoming.clone());
        // Boxed, so that a connection keeps no room for a request's future while it has none: six kilobytes each.
        // What HTTP/1.0 knows nothing of it is not sent.
        let early = (request.version() == Version::HTTP_11).then(|| answers.begin());
        Box::pin(async move {
            let mut answer = proxy.handle(request, client, early.clone()).await;
            if let Some(early) = early {
                early.end();
            }
            tunnel.take_from(&mut answer);
            Ok::<_, Infallible>(answer.map(|body| under_way.answering(body)))
        })
    });
    let mut serving = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(settings.max_header.max(SMALLEST_BUFFER))
        .max_header_size(settings.max_header)
        .max_headers(settings.max_fields)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    match drive(&mut serving, &mut timers, &mut context.stopped, |serving| Pin::new(serving).graceful_shutdown()).await
    {
        End::Done(ended) => {
            tunnel.run().await;
            return ended;
        }
        End::Cut(Expired::Head) => {}
        End::Cut(_) => return Ok(()),
    }
    // Without a piece of a head, a 408 would be taken for the answer to the next request.
    if let Some(rest) = serving.into_parts()
        && !rest.read_buf.is_empty()
    {
        let mut stream = rest.io.into_inner();
        let _ = timeout(LAST_WORD, async {
            stream.write_all(HEAD_TOO_SLOW).await?;
            stream.shutdown().await
        })
        .await;
    }
    Ok(())
}
