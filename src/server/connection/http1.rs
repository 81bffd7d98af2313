//! HTTP/1.1 on one connection.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1::{self, Parts};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::timeout;

use super::activity::Activity;
use super::answer::{Answer, AnswerBody};
use super::drive::{Context, End, drive, stop};
use super::monitored::MonitoredIo;
use super::timers::{Expired, Timers};
use crate::handler::{Client, Exchange, Tunnel};
use crate::telemetry::Refused;

/// hyper takes no smaller read buffer.
const SMALLEST_BUFFER: usize = 8192;

/// What a client hears whose head did not come in time.
const HEAD_TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How long such a client may take for these few bytes.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Serves until one side closes, a timer ends it, or the server stops. What became a tunnel is served until that ends.
pub(super) async fn serve<S>(
    mut stream: MonitoredIo<S>,
    client: Client,
    activity: Arc<Activity>,
    context: &mut Context,
) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut timers = Timers::new(Arc::clone(&activity), &context.settings, true);
    // hyper keeps twenty kilobytes for a connection: only for one where something goes on.
    while arrives(&mut stream, &mut timers, &mut context.stopped).await {
        timers.report_quiet(true);
        let exchanging = Box::pin(exchange(stream, client, &activity, &mut timers, context));
        let Some(quiet) = exchanging.await? else { return Ok(()) };
        timers.report_quiet(false);
        stream = quiet;
    }
    let _ = timeout(LAST_WORD, stream.shutdown()).await;
    Ok(())
}

/// Tells the client that the connection ends with this answer.
fn say_last<B>(answer: &mut Response<B>, to: Version) {
    if to == Version::HTTP_10 {
        // There an answer that does not say `keep-alive` is the last; hyper adds that to what is of version 1.1.
        *answer.version_mut() = to;
    } else if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Waits for a client where nothing goes on. `false` when the connection is to be closed.
async fn arrives<S: AsyncRead + Unpin>(
    stream: &mut MonitoredIo<S>,
    timers: &mut Timers,
    stopped: &mut watch::Receiver<bool>,
) -> bool {
    loop {
        tokio::select! {
            biased;
            arrived = stream.arrives() => return arrived.unwrap_or(false),
            () = stop(stopped), if !timers.is_stopping() => {
                timers.stop();
            }
            _ = timers.expired() => return false,
        }
    }
}

/// Serves while something goes on, and gives the connection back when it is quiet. `None` when it has ended.
async fn exchange<S>(
    stream: MonitoredIo<S>,
    client: Client,
    activity: &Arc<Activity>,
    timers: &mut Timers,
    context: &mut Context,
) -> hyper::Result<Option<MonitoredIo<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let settings = &context.settings;
    let handler = Arc::clone(&context.handler);
    let noted = Arc::clone(activity);
    let tunnel = Tunnel::default();
    let becoming = tunnel.clone();
    let answers = stream.interim_answers();
    let service = service_fn(move |request: Request<Incoming>| {
        let (under_way, tunnel) = (noted.request(), becoming.clone());
        noted.note_body(!request.body().is_end_stream());
        // What HTTP/1.0 knows nothing of it is not sent.
        let version = request.version();
        let interim = (version == Version::HTTP_11).then(|| answers.begin());
        let exchange = Exchange { client, interim: interim.clone(), share: None };
        Answer::new(Arc::clone(&handler).handle(request, exchange), move |mut answer| {
            if let Some(interim) = interim {
                interim.end();
            }
            tunnel.take_from(&mut answer);
            if under_way.is_last() {
                say_last(&mut answer, version);
            }
            answer.map(|body| AnswerBody::of(under_way, body))
        })
    });
    let mut serving = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(settings.max_header.max(SMALLEST_BUFFER))
        .max_header_size(settings.max_header)
        .max_headers(settings.max_fields)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    match drive(&mut serving, timers, &mut context.stopped, |serving| Pin::new(serving).graceful_shutdown()).await {
        End::Done(ended) => {
            tunnel.run().await;
            if let Some(why) = ended.as_ref().err().and_then(refusal) {
                context.refused(why, client.address);
            }
            ended.map(|()| None)
        }
        End::Cut(why) => match serving.into_parts() {
            Some(Parts { io, read_buf, .. }) => {
                if is_half_head(why, &read_buf) {
                    context.refused(Refused::HeadTooSlow, client.address);
                }
                Ok(cut(why, io.into_inner(), read_buf).await)
            }
            None => Ok(None),
        },
    }
}

/// What hyper has refused by itself, and answered so.
fn refusal(error: &hyper::Error) -> Option<Refused> {
    let too_large = error.is_parse_too_large();
    error.is_parse().then_some(if too_large { Refused::HeadTooLarge } else { Refused::Malformed })
}

/// Whether a head began to come. Without a piece of one, a 408 would be taken for the answer to the next request.
fn is_half_head(why: Expired, read: &Bytes) -> bool {
    why == Expired::Head && !read.is_empty()
}

/// What is left of a connection that a timer took from hyper, with what was read of the next request.
async fn cut<S: AsyncRead + AsyncWrite + Unpin>(
    why: Expired,
    mut stream: MonitoredIo<S>,
    read: Bytes,
) -> Option<MonitoredIo<S>> {
    match why {
        // The request was read to its end and the answer taken, so that nothing but the next request can follow.
        Expired::Quiet => {
            stream.give_back(read);
            Some(stream)
        }
        _ if is_half_head(why, &read) => {
            let _ = timeout(LAST_WORD, async {
                stream.write_all(HEAD_TOO_SLOW).await?;
                stream.shutdown().await
            })
            .await;
            None
        }
        _ => None,
    }
}
