//! One request on a connection of its own, and all that comes back.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than a loaded machine needs for anything here.
const PATIENCE: Duration = Duration::from_secs(30);

/// The answer to a request that asks for the connection to be closed, or is refused with it.
pub async fn ask(node: SocketAddr, request: &[u8]) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(node).await.unwrap();
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        // What was refused before it was read whole may end with a reset.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::time::timeout(PATIENCE, exchange).await.expect("the connection stays open")
}
