//! Files of certificates and keys that `proxy.toml` names. What is in them is shown nowhere.

use std::path::Path;

use super::findings::{Findings, Problem, Text};

/// Larger files hold no certificates.
const LARGEST: u64 = 1 << 20;

/// A file's bytes; a relative path is relative to the folder of `proxy.toml`. `None` where it cannot be read.
pub(super) fn read(path: &Text, folder: &Path, findings: &mut Findings<'_>) -> Option<Vec<u8>> {
    let bytes = bytes_of(&folder.join(path.get_ref()));
    let place = path.span();
    bytes.map_err(|problem| findings.error(place, problem.message, problem.help)).ok()
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, Problem> {
    let shown = path.display();
    let help = "name a file in PEM, by a path of its own or one relative to this file";
    let unreadable = |error: std::io::Error| Problem::new(format!("{shown} cannot be read: {error}"), help);
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() {
        return Err(Problem::new(format!("{shown} is no file"), help));
    }
    if about.len() > LARGEST {
        return Err(Problem::new(format!("{shown} is larger than certificates are"), help));
    }
    std::fs::read(path).map_err(unreadable)
}
