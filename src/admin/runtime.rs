//! Where the admin socket lies that nobody has chosen a place for: in a folder that no other user can write to.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::process::geteuid;

/// The folders where it may lie, by what the environment says.
#[derive(Clone, Debug)]
pub struct RuntimeFolders {
    /// `XDG_RUNTIME_DIR`.
    pub of_user: Option<PathBuf>,
    /// Where services have theirs.
    pub of_service: PathBuf,
    /// The folder of temporary files, in which this user has one of its own.
    pub temporary: PathBuf,
}

/// How a socket is called: the port stands in between.
const NAME: (&str, &str) = ("aside-", ".sock");
/// More files of one folder are not looked at, and more sockets not told.
const MOST_FILES: usize = 10_000;
const MOST_OTHERS: usize = 5;

impl RuntimeFolders {
    /// Where a process that serves this port listens: in the first folder that can be used. The error says why there is none.
    pub fn socket(&self, port: u16) -> Result<PathBuf, String> {
        let mut refused = Vec::new();
        if let Some(folder) = &self.of_user {
            match check_own(folder) {
                Ok(()) => return Ok(folder.join(name(port))),
                Err(why) => refused.push(why),
            }
        }
        // Nobody but root can make it, so it is as its maker wants it.
        if access(&self.of_service, Access::WRITE_OK | Access::EXEC_OK).is_ok() {
            return Ok(self.of_service.join(name(port)));
        }
        let folder = self.own_folder();
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                refused.push(format!("{} cannot be made: {error}", folder.display()));
            }
            _ => match check_own(&folder) {
                Ok(()) => return Ok(folder.join(name(port))),
                Err(why) => refused.push(why),
            },
        }
        Err(refused.join(", and "))
    }

    /// Where the socket of a process that serves this port may be found, the likeliest first. A folder that another user
    /// could have written to is left out.
    pub fn candidates(&self, port: u16) -> Vec<PathBuf> {
        self.trusted().into_iter().map(|folder| folder.join(name(port))).collect()
    }

    /// The sockets there that are of other ports, whether anybody listens there or not: a few of them, of each folder the
    /// newest first.
    pub fn others(&self, port: u16) -> Vec<PathBuf> {
        let (first, last) = NAME;
        let is_other = |path: &PathBuf| {
            let file = path.file_name().and_then(OsStr::to_str);
            let number = file.and_then(|name| name.strip_prefix(first)?.strip_suffix(last)?.parse::<u16>().ok());
            number.is_some_and(|number| number != port)
        };
        let in_folder = |folder: PathBuf| {
            let files = fs::read_dir(folder).into_iter().flat_map(|files| files.take(MOST_FILES).flatten());
            let mut others: Vec<PathBuf> = files.map(|file| file.path()).filter(is_other).collect();
            others.sort_by_cached_key(|path| {
                fs::symlink_metadata(path).and_then(|about| about.modified()).ok().map(Reverse)
            });
            others
        };
        self.trusted().into_iter().flat_map(in_folder).take(MOST_OTHERS).collect()
    }

    /// The folders that no other user could have written to.
    fn trusted(&self) -> Vec<PathBuf> {
        let own = self.own_folder();
        let of_user = self.of_user.iter().filter(|folder| check_own(folder).is_ok());
        let temporary = Some(&own).filter(|folder| check_own(folder).is_ok());
        of_user.chain([&self.of_service]).chain(temporary).cloned().collect()
    }

    fn own_folder(&self) -> PathBuf {
        self.temporary.join(format!("aside-{}", geteuid().as_raw()))
    }
}

fn name(port: u16) -> String {
    let (first, last) = NAME;
    format!("{first}{port}{last}")
}

/// Whether a folder is this user's own and nobody else's; the error says why not.
fn check_own(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    let found = fs::symlink_metadata(folder).map_err(|error| format!("{shown} cannot be looked at: {error}"))?;
    if !found.is_dir() {
        return Err(format!("{shown} is no folder"));
    }
    if found.uid() != geteuid().as_raw() {
        return Err(format!("{shown} belongs to another user"));
    }
    if found.mode() & 0o077 != 0 {
        return Err(format!("{shown} is open to other users (its mode is {:o}, not 700)", found.mode() & 0o7777));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn folders(temporary: &Path, of_user: Option<PathBuf>) -> RuntimeFolders {
        RuntimeFolders { of_user, of_service: temporary.join("no-service"), temporary: temporary.to_owned() }
    }

    #[test]
    fn a_folder_of_ones_own_is_made_and_one_of_others_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let folders = folders(folder.path(), None);
        assert_eq!(folders.candidates(8080), [folders.of_service.join("aside-8080.sock")]);
        let socket = folders.socket(8080).unwrap();
        assert!(socket.ends_with(format!("aside-{}/aside-8080.sock", geteuid().as_raw())));
        fs::write(&socket, "").unwrap();
        assert_eq!(folders.candidates(8080).last(), Some(&socket));
        fs::write(socket.with_file_name("other.sock"), "").unwrap();
        assert_eq!((folders.others(8080), folders.others(8081)), (vec![], vec![socket.clone()]));
        let own = socket.parent().unwrap();
        fs::set_permissions(own, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(folders.socket(8080).unwrap_err().contains("open to other users (its mode is 755"));
        assert!(!folders.candidates(8080).contains(&socket) && folders.others(1).is_empty());
        fs::remove_dir_all(own).unwrap();
        symlink("/", own).unwrap();
        assert!(folders.socket(8080).unwrap_err().contains("is no folder"));
    }

    #[test]
    fn the_users_folder_comes_first_and_the_services_next() {
        let folder = tempfile::tempdir().unwrap();
        let of_user = folder.path().join("run");
        DirBuilder::new().mode(0o700).create(&of_user).unwrap();
        let mut folders = folders(folder.path(), Some(of_user.clone()));
        assert_eq!(folders.socket(1).unwrap(), of_user.join("aside-1.sock"));
        fs::set_permissions(&of_user, fs::Permissions::from_mode(0o770)).unwrap();
        folders.of_service = folder.path().join("service");
        fs::create_dir(&folders.of_service).unwrap();
        assert_eq!(folders.socket(1).unwrap(), folders.of_service.join("aside-1.sock"));
    }
}
