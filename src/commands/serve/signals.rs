//! The signals that `aside serve` listens to, and those that would end it if nobody did.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To stop.
    Stop(Stop),
    /// To read again what can be read again.
    Reload,
    /// Nothing that is known here: the name of the signal.
    Nothing(&'static str),
}

/// A signal that asks to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// SIGINT, as Ctrl-C sends it.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Stop {
    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// The exit code of a process that it ended, as a shell reports it: 128 and the signal's number.
    pub(super) fn exit_code(self) -> i32 {
        let kind = match self {
            Self::Interrupt => SignalKind::interrupt(),
            Self::Terminate => SignalKind::terminate(),
        };
        128 + kind.as_raw_value()
    }
}

/// All of them. From its making on none of them ends the process by itself.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    user: [Signal; 2],
}

impl Signals {
    /// Must be called within a runtime.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            user: [signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?],
        })
    }

    /// Waits for the next one. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> Asked {
        let [first, second] = &mut self.user;
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop(Stop::Interrupt),
            _ = self.terminate.recv() => Asked::Stop(Stop::Terminate),
            _ = self.hangup.recv() => Asked::Reload,
            _ = first.recv() => Asked::Nothing("SIGUSR1"),
            _ = second.recv() => Asked::Nothing("SIGUSR2"),
        }
    }
}
