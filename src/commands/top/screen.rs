//! The terminal while the figures are drawn on it, and the key that ends that.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::thread;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc::{Receiver, channel};

/// The terminal; as it was when this is dropped.
pub(super) struct Screen {
    /// How it took keys, where that was changed.
    before: Option<Termios>,
}

/// To another screen, without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

impl Screen {
    /// Goes to another screen, and has keys come one by one and without being shown. Ctrl-C goes on to be a signal.
    pub(super) fn enter() -> Self {
        let _ = io::stdout().write_all(ENTER.as_bytes());
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut keys = before.clone();
            keys.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &keys);
        }
        Self { before }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
        let mut out = io::stdout();
        let _ = out.write_all(LEAVE.as_bytes()).and_then(|()| out.flush());
    }
}

/// Has something once somebody presses q. The thread that waits for that ends with the process; where standard input is no
/// terminal there is none, and never anything.
pub(super) fn quits() -> Receiver<()> {
    let (send, quits) = channel(1);
    if io::stdin().is_terminal() {
        let listen = move || {
            if io::stdin().lock().bytes().map_while(Result::ok).any(|key| matches!(key, b'q' | b'Q')) {
                let _ = send.blocking_send(());
            }
        };
        drop(thread::Builder::new().name("keys".to_owned()).spawn(listen));
    }
    quits
}
