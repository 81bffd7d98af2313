//! Where a running process is asked, and how clients ask it: what of `proxy.toml` the commands need that speak to it.
//!
//! A file that the process could not start with may still say where it is: what cannot be read of the rest is not asked for,
//! nor the variables that only the process has in its environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::diagnostic::{ConfigError, Report, Source};
use super::findings::Findings;
use super::outside::{Outside, of_process};
use super::{RawFile, admin, clients, listen, parse, read, refused, search};
use crate::admin::{AdminListen, AdminSettings};
use crate::fields::HostName;

/// Where a running process is asked.
#[derive(Debug, Default)]
pub struct Whereabouts {
    /// The file; `None` where there is none.
    pub file: Option<PathBuf>,
    /// The addresses for clients.
    pub listen: Vec<SocketAddr>,
    /// Whether TLS is spoken there.
    pub tls: bool,
    /// The first of the names by which clients know it, where the file lists some.
    pub host: Option<HostName>,
    /// The admin listener; its token may come from `ASIDE_ADMIN_TOKEN`, which wins over the file's.
    pub admin: AdminSettings,
    /// That the file is no TOML, or does not say where to listen, and where. What else is told here stood around that, and may
    /// lack something: who runs with this file has to be asked whether it does.
    pub trouble: Option<ConfigError>,
}

const TOKEN: &str = "ASIDE_ADMIN_TOKEN";

impl Whereabouts {
    /// Reads them from the named file, or from the one that `aside serve` would find; without any they are those of a process
    /// that has none. The error says why the file cannot be read at all.
    pub fn find(named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = search::file(named);
        let text = match path.as_deref() {
            Some(path) => read(path).map_err(|problem| refused(&path.display().to_string(), problem))?,
            None => String::new(),
        };
        let found = Self::of_text(path.as_deref().unwrap_or(Path::new("")), &text)?;
        Ok(Self { file: path, ..found.with_the_token_outside() })
    }

    /// Those of a process that was started without a file.
    pub fn without_file() -> Self {
        Self::of_text(Path::new(""), "").unwrap_or_default().with_the_token_outside()
    }

    fn with_the_token_outside(mut self) -> Self {
        if let Some(token) = of_process(TOKEN).and_then(|text| admin::token(&text).ok()) {
            self.admin.token = Some(token);
        }
        self
    }

    fn of_text(name: &Path, text: &str) -> Result<Self, ConfigError> {
        let folder = name.parent().unwrap_or(Path::new(""));
        let outside = Outside::new(&of_process, folder);
        let mut findings = Findings::new(text);
        let refused = |findings: Findings<'_>| {
            let source = Arc::new(Source { name: name.display().to_string(), text: text.to_owned() });
            ConfigError(Report::new(source, outside.without_secrets(findings.into_vec())))
        };
        if let Some(raw) = parse::parse::<RawFile>(text, &outside, &mut findings) {
            let says = (raw.listen.is_some(), raw.admin.listen.is_some());
            let found = Self::of(raw, folder, &mut findings);
            let is_told = found.is_told(says, text);
            return Ok(Self { trouble: (!is_told).then(|| refused(findings)), ..found });
        }
        match parse::parse_around_slips::<RawFile>(text, &outside) {
            Some(raw) => {
                let found = Self::of(raw, folder, &mut Findings::new(text));
                Ok(Self { trouble: Some(refused(findings)), ..found })
            }
            None => Err(refused(findings)),
        }
    }

    /// Whether what the text says of where to listen could be read: `says` is of `listen`, and of that of `[admin]`, whether they
    /// are left of it.
    fn is_told(&self, (clients, admin): (bool, bool), text: &str) -> bool {
        let written = toml::from_str::<toml::Table>(text).unwrap_or_default();
        let of_admin =
            written.get("admin").is_some_and(|table| table.as_table().is_none_or(|table| table.contains_key("listen")));
        let admin_is_read = !of_admin || (admin && self.admin.listen != AdminListen::Default);
        let clients_are_read = written.get("listen").is_none() || (clients && !self.listen.is_empty());
        admin_is_read && clients_are_read
    }

    fn of(raw: RawFile, folder: &Path, findings: &mut Findings<'_>) -> Self {
        let listen = listen::resolve(raw.listen, findings);
        let host = clients::first_host(raw.clients, findings);
        let admin = admin::resolve(raw.admin, &[], folder, findings);
        Self { listen, tls: raw.tls.is_some(), host, admin, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_file_that_is_no_toml_is_told_and_what_is_around_the_slip_is_read() {
        for file in [
            "[[route]]\nttl = 1h\n[admin]\nlisten = \"unix:a.sock\"\ntoken = \"sesame-open-sesame\"\n",
            "[admin]\nlisten = \"unix:a.sock\"\ntoken = \"sesame-open-sesame\"\n[[route]]\npath = \"/a\n",
            "[admin]\nlisten = \"unix:a.sock\"\ntoken = \"sesame-open-sesame\"\n[log\nrequests = false\n",
            "= 5\n[admin]\nlisten = \"unix:a.sock\"\ntoken = \"sesame-open-sesame\"\n",
        ] {
            let found = found(file).unwrap();
            assert!(found.trouble.unwrap().to_string().contains("proxy.toml:"), "{file}");
            assert_eq!(found.admin.listen, AdminListen::Unix("/etc/aside/a.sock".into()), "{file}");
            assert!(found.admin.token.is_some(), "{file}");
        }
        let found = found("").unwrap();
        assert!(found.trouble.is_none() && found.listen[0].port() == 8080 && found.host.is_none());
    }

    #[test]
    fn a_file_that_does_not_say_where_to_listen_is_told() {
        for (file, told) in [
            ("listen = \"nope\"\n", "`nope` is not an address"),
            ("listen = 5\n", "proxy.toml:1:10"),
            ("listen = [\"127.0.0.1:1\", \"nope\"]\n[admin]\nlisten = \"nope\"\n", "`nope` is not an address"),
            ("[admin]\nlisten = 5\n", "proxy.toml:2:10"),
            ("admin = 5\n", "proxy.toml:1:9"),
            ("listen = \"${NOBODY_SETS_THIS}\"\n", "NOBODY_SETS_THIS"),
        ] {
            let trouble = found(file).unwrap().trouble.unwrap_or_else(|| panic!("{file}")).to_string();
            assert!(trouble.contains(told), "{file}: {trouble}");
        }
        // What could be read may be right.
        let both = found("listen = \"nope\"\n[admin]\nlisten = \"unix:a.sock\"\n").unwrap();
        assert_eq!((both.trouble.is_some(), both.admin.listen), (true, AdminListen::Unix("/etc/aside/a.sock".into())));
    }

    #[test]
    fn it_says_how_clients_ask() {
        let found = found("[clients]\nhosts = [\"shop.example\", \"b\"]\n[tls]\ncert = \"a\"\nkey = \"b\"\n").unwrap();
        assert_eq!((found.host.unwrap().to_string().as_str(), found.tls), ("shop.example", true));
    }
}
