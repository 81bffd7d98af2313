//! Listening sockets: TCP ports that several cores share, and unix sockets.

use std::fmt;
use std::fs::{self, File, Permissions};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::clock::Stopwatch;

/// Why an address cannot be listened on.
#[derive(Debug)]
pub struct BindError {
    at: At,
    cause: io::Error,
}

/// Where somebody wants to listen.
#[derive(Debug)]
enum At {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl BindError {
    pub(super) fn new(address: SocketAddr, cause: io::Error) -> Self {
        Self { at: At::Tcp(address), cause }
    }

    fn unix(path: &Path, cause: io::Error) -> Self {
        Self { at: At::Unix(path.to_owned()), cause }
    }

    pub(super) fn is_taken(&self) -> bool {
        self.cause.kind() == io::ErrorKind::AddrInUse
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, cause } = self;
        match at {
            At::Tcp(address) => write!(out, "cannot listen on {address}: {cause}")?,
            At::Unix(path) => write!(out, "cannot listen on unix:{}: {cause}", path.display())?,
        }
        match (cause.kind(), at) {
            (io::ErrorKind::AddrInUse, _) => {
                write!(out, "; stop what listens there, or choose another `listen` address")
            }
            (io::ErrorKind::PermissionDenied, At::Tcp(_)) => write!(out, "; ports below 1024 need privileges"),
            (io::ErrorKind::PermissionDenied, At::Unix(_)) => {
                write!(out, "; choose a folder that this user may write to")
            }
            (io::ErrorKind::NotFound, At::Unix(_)) => write!(out, "; make its folder, or choose another path"),
            (io::ErrorKind::AddrNotAvailable, _) => write!(out, "; this machine does not have that address"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// How many connections may wait to be accepted.
pub(super) const BACKLOG: usize = 4096;

/// Fails where another program listens already: with `SO_REUSEPORT` alone the two would take turns, and each would keep
/// its own answers.
pub(super) fn claim(address: SocketAddr) -> Result<(), BindError> {
    let claim = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())
    };
    claim().map_err(|cause| BindError::new(address, cause))
}

/// Opens a non-blocking listener that shares its port with the other cores'.
pub(super) fn open(address: SocketAddr) -> Result<TcpListener, BindError> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(backlog())?;
        Ok(TcpListener::from(socket))
    };
    open().map_err(|cause| BindError::new(address, cause))
}

/// Opens a non-blocking listener on a unix socket that this user alone may connect to. What a dead process has left there is
/// replaced; a socket at which somebody listens is not, and nor is a file of another kind.
pub(super) fn open_unix(path: &Path) -> Result<(UnixListener, SocketFile), BindError> {
    let open = || {
        // One that is bound and does not listen yet would be taken for a dead one by whoever comes just then.
        let _alone = alone_in_folder_of(path)?;
        remove_dead(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::unix(path)?)?;
        // Before anybody is let in.
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        socket.listen(backlog())?;
        Ok((UnixListener::from(socket), SocketFile::at(path)?))
    };
    open().map_err(|cause| BindError::unix(path, cause))
}

/// How long another process is waited for that opens or removes a socket in the same folder, which takes no time.
const ALONE_WITHIN: Duration = Duration::from_secs(2);

/// Keeps every other process that asks for this from opening or removing a socket in the folder of this one, until it is
/// dropped. The folder itself is locked, so that no file is left behind.
fn alone_in_folder_of(path: &Path) -> io::Result<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new(".")))?;
    let waiting = Stopwatch::start();
    loop {
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(folder),
            Err(Errno::WOULDBLOCK | Errno::INTR) if waiting.elapsed() < ALONE_WITHIN => sleep(Duration::from_millis(5)),
            Err(Errno::WOULDBLOCK) => {
                let told = "another process keeps its folder locked; choose another one";
                return Err(io::Error::new(io::ErrorKind::WouldBlock, told));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn remove_dead(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        let told = "something that is no socket lies there; choose another path";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, told));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there already")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

fn backlog() -> i32 {
    i32::try_from(BACKLOG).unwrap_or(i32::MAX)
}

/// The file of a unix socket, removed in the end unless it is another one's by then.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    number: u64,
    /// When it was made, in seconds and nanoseconds: some file systems give a number that is free to the next file.
    made: (i64, i64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), device: found.dev(), number: found.ino(), made: made(&found) })
    }
}

fn made(found: &fs::Metadata) -> (i64, i64) {
    (found.mtime(), found.mtime_nsec())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A dead one that is left behind is replaced by the next.
        let Ok(_alone) = alone_in_folder_of(&self.path) else { return };
        let mine = (self.device, self.number, self.made);
        let same = |found: &fs::Metadata| (found.dev(), found.ino(), made(found)) == mine;
        if fs::symlink_metadata(&self.path).is_ok_and(|found| same(&found)) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        // The standard library's does not remove its file.
        drop(UnixListener::bind(&path).unwrap());
        let (listener, file) = open_unix(&path).unwrap();
        assert_eq!(fs::symlink_metadata(&path).unwrap().mode() & 0o777, 0o600);
        let error = open_unix(&path).unwrap_err().to_string();
        assert!(error.contains("another process listens there already; stop what listens there"), "{error}");
        assert!(UnixStream::connect(&path).is_ok());
        drop((listener, file));
        assert!(!path.exists());
    }

    #[test]
    fn of_two_that_start_at_once_one_has_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        for round in 0..300 {
            drop(UnixListener::bind(&path).unwrap());
            let at_once = std::sync::Barrier::new(2);
            let open = || {
                at_once.wait();
                open_unix(&path).ok()
            };
            let opened = std::thread::scope(|scope| {
                let both = [scope.spawn(open), scope.spawn(open)];
                both.map(|one| one.join().unwrap())
            });
            assert_eq!(opened.iter().flatten().count(), 1, "round {round}");
            assert!(UnixStream::connect(&path).is_ok(), "round {round}: nobody listens there");
        }
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_socket_or_another_ones_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        fs::write(&path, "notes").unwrap();
        let error = open_unix(&path).unwrap_err().to_string();
        assert!(error.contains("no socket"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "notes");
        fs::remove_file(&path).unwrap();
        let (listener, file) = open_unix(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a successor's").unwrap();
        drop((listener, file));
        assert!(path.exists());
        let error = open_unix(&folder.path().join("none/a.sock")).unwrap_err().to_string();
        assert!(error.contains("make its folder"), "{error}");
    }
}
