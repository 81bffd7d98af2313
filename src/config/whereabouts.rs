//! Where a running process is asked: what of `proxy.toml` the commands need that speak to it.
//!
//! A file that the process could not start with may still say where it is: what cannot be read of the rest is not asked for,
//! nor the variables that only the process has in its environment.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::diagnostic::{ConfigError, Report, Source};
use super::findings::Findings;
use super::outside::{Outside, of_process};
use super::{RawFile, admin, listen, parse, read, refused, search};
use crate::admin::AdminSettings;

/// Where a running process is asked.
#[derive(Clone, Debug, Default)]
pub struct Whereabouts {
    /// The addresses for clients.
    pub listen: Vec<SocketAddr>,
    /// The admin listener; its token may come from `ASIDE_ADMIN_TOKEN`, which wins over the file's.
    pub admin: AdminSettings,
}

const TOKEN: &str = "ASIDE_ADMIN_TOKEN";

impl Whereabouts {
    /// Reads them from the named file, or from the one that `aside serve` would find; without any they are those of a process
    /// that has none. The error says why the file cannot be read at all.
    pub fn find(named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = search::file(named);
        let path = path.as_deref();
        let text = match path {
            Some(path) => read(path).map_err(|problem| refused(&path.display().to_string(), problem))?,
            None => String::new(),
        };
        let name = path.unwrap_or(Path::new(""));
        let mut found = Self::of_text(name, &text)?;
        if let Some(token) = of_process(TOKEN).and_then(|text| admin::token(&text).ok()) {
            found.admin.token = Some(token);
        }
        Ok(found)
    }

    fn of_text(name: &Path, text: &str) -> Result<Self, ConfigError> {
        let folder = name.parent().unwrap_or(Path::new(""));
        let outside = Outside::new(&of_process, folder);
        let mut findings = Findings::new(text);
        let Some(raw) = parse::parse::<RawFile>(text, &outside, &mut findings) else {
            let source = Arc::new(Source { name: name.display().to_string(), text: text.to_owned() });
            return Err(ConfigError(Report::new(source, outside.without_secrets(findings.into_vec()))));
        };
        let listen = listen::resolve(raw.listen, &mut findings);
        let admin = admin::resolve(raw.admin, &[], folder, &mut findings);
        Ok(Self { listen, admin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::AdminListen;

    fn found(text: &str) -> Result<Whereabouts, ConfigError> {
        Whereabouts::of_text(Path::new("/etc/aside/proxy.toml"), text)
    }

    #[test]
    fn what_else_is_wrong_with_the_file_keeps_nobody_from_asking() {
        let file = "listen = \"127.0.0.1:81\"\norigin = \"${NOBODY_SETS_THIS}\"\n[[route]]\npath = 5\n[admin]\n";
        let found = found(file).unwrap();
        assert_eq!((found.listen[0].port(), found.admin.listen), (81, AdminListen::Default));
    }

    #[test]
    fn the_socket_counts_from_the_folder_of_the_file() {
        let found = found("[admin]\nlisten = \"unix:a.sock\"\ntoken = \"${NOBODY_SETS_THIS}\"\n").unwrap();
        assert_eq!(found.admin.listen, AdminListen::Unix("/etc/aside/a.sock".into()));
        assert!(found.admin.token.is_none());
    }

    #[test]
    fn a_file_that_is_no_toml_is_told() {
        assert!(found("listen = \n").unwrap_err().to_string().contains("proxy.toml:1"));
        assert_eq!(found("").unwrap().listen[0].port(), 8080);
    }
}
