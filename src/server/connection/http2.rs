//! HTTP/2 on one connection.

use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::activity::Activity;
use super::answer::{Answer, AnswerBody, Streams};
use super::drive::{Context, End, drive};
use super::monitored::MonitoredIo;
use super::timers::Timers;
use crate::handler::{Client, Exchange, Share};
use crate::telemetry::Refused;

/// How many requests may be under way at once on one connection.
const STREAMS: u32 = 100;
/// How many bytes of request bodies may wait to be read: of one stream, and of the connection.
const STREAM_WINDOW: u32 = 128 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;
/// How many bytes of an answer may wait to be sent.
const SEND_BUFFER: usize = 64 << 10;
/// How many streams that the client reset may wait to be looked at, and how many may fail by its fault, before the
/// connection is ended (CVE-2023-44487, CVE-2025-8671).
const RESETS: usize = 20;
const FAULTS: usize = 100;
/// How often a client is asked for a sign of life, and how long it may take for it.
const PING: Duration = Duration::from_secs(20);

/// Serves until one side closes, a timer ends it, or the server stops.
pub(super) async fn serve<S>(
    stream: MonitoredIo<S>,
    client: Client,
    activity: Arc<Activity>,
    context: &mut Context,
) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let settings = &context.settings;
    let mut timers = Timers::new(Arc::clone(&activity), settings, false);
    let handler = Arc::clone(&context.handler);
    let share = Share::new(settings.max_connection_answers, settings.write_stall);
    let service = service_fn(move |request| {
        let under_way = activity.request();
        let exchange = Exchange { client, interim: None, share: Some(share.clone()) };
        Answer::new(Arc::clone(&handler).handle(request, exchange), move |answer| {
            answer.map(|body| AnswerBody::of(under_way, body))
        })
    });
    let mut serving = http2::Builder::new(Streams { limit: settings.write_stall })
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(settings.max_header).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(FAULTS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .serve_connection(TokioIo::new(stream), service);
    match drive(&mut serving, &mut timers, &mut context.stopped, |serving| Pin::new(serving).graceful_shutdown()).await
    {
        End::Done(ended) => {
            if ended.as_ref().err().is_some_and(is_broken) {
                context.refused(Refused::Http2, client.address);
            }
            ended
        }
        End::Cut(_) => Ok(()),
    }
}

/// Whether it is the protocol that the client has broken: no client that has left, or gives no sign of life.
fn is_broken(error: &hyper::Error) -> bool {
    let has_left = error.source().is_some_and(<dyn std::error::Error>::is::<io::Error>)
        || error.is_closed()
        || error.is_canceled();
    !has_left && !error.is_timeout() && !error.is_user()
}
