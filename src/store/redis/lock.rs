//! A file that tells a process its predecessor is dead: it is locked for as long as a process lives, and the kernel lets go of
//! it however the process ends.
//!
//! Whoever gets the lock knows that nobody else has it. The registry says which file each node has locked, by its device and
//! inode and by the boot of the machine: those are the same for one file alone. So a crash that a supervisor mends costs no
//! more than the restart.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

/// A locked file.
#[derive(Debug)]
pub(super) struct Lock {
    /// Held open: closing it would let go of the lock.
    _file: File,
    name: String,
}

impl Lock {
    /// Locks the file of this name; `None` where another process has it, or no folder for it can be used: then a crash is
    /// waited out as that of a node on another machine.
    pub(super) fn take(name: &str) -> Option<Self> {
        folders().iter().find_map(|folder| Self::take_in(folder, name).ok())
    }

    fn take_in(folder: &Path, name: &str) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let flags = OFlags::NOFOLLOW.bits().cast_signed();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
        let file = options.open(folder.join(format!("{name}.lock")))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        let (about, boot) = (file.metadata()?, fs::read_to_string("/proc/sys/kernel/random/boot_id")?);
        let name = format!("{}-{}-{}", about.dev(), about.ino(), boot.trim());
        Ok(Self { _file: file, name })
    }

    /// What no other file of any machine is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Where such files may lie: a folder of the system's, or of this user's own.
fn folders() -> [PathBuf; 2] {
    let user = rustix::process::geteuid().as_raw();
    [PathBuf::from("/run/aside"), PathBuf::from(format!("/tmp/aside-{user}"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_locked_once_and_let_go_of_with_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take_in(folder.path(), "a").unwrap();
        assert!(Lock::take_in(folder.path(), "a").is_err());
        let other = Lock::take_in(folder.path(), "b").unwrap();
        assert_ne!(first.name(), other.name());
        let name = first.name().to_owned();
        drop(first);
        assert_eq!(Lock::take_in(folder.path(), "a").unwrap().name(), name);
        assert!(!name.contains(char::is_whitespace));
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join("a.lock")).unwrap();
        assert!(Lock::take_in(folder.path(), "a").is_err());
    }
}
