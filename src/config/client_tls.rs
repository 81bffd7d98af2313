//! What `[origin.tls]` and `[store.tls]` have in common: whom a server must be certified by, and what it is shown of us.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;

use super::findings::{Findings, Problem, Text};
use crate::files::read_pem;
use crate::tls::{Identity, Tls, TlsError, Trust};

/// The keys of such a table.
pub(super) struct ClientTls<'t> {
    pub(super) title: &'static str,
    pub(super) ca: Option<&'t Text>,
    pub(super) name: Option<&'t Text>,
    pub(super) cert: Option<&'t Text>,
    pub(super) key: Option<&'t Text>,
    /// Nobody's certificate is verified.
    pub(super) unverified: bool,
    /// The place of the server's URL.
    pub(super) url: Option<Range<usize>>,
}

impl ClientTls<'_> {
    /// How TLS is spoken; `None` where anything is wrong with the file. The paths count from `folder`.
    pub(super) fn resolve(self, folder: &Path, findings: &mut Findings<'_>) -> Option<Tls> {
        let ca = read(self.ca, folder, findings);
        let identity = self.identity(folder, findings);
        if findings.has_errors() {
            return None;
        }
        let trust = match &ca {
            _ if self.unverified => Trust::Anybody,
            Some(pem) => Trust::Only(pem),
            None => Trust::Machine,
        };
        let identity = identity.as_ref().map(|(certificate, key)| Identity { certificate, key });
        let made = Tls::new(&trust, self.name.map(|name| name.get_ref().as_str()), identity);
        made.map_err(|error| self.report(&error, findings)).ok()
    }

    /// The certificate and key that the server may ask for: both or none.
    fn identity(&self, folder: &Path, findings: &mut Findings<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
        match (self.cert, self.key) {
            (Some(cert), None) => {
                let message = "`key` is missing: the certificate cannot be used without it";
                findings.lacks(cert.span(), &["key"], message, "add key = \"key.pem\"");
            }
            (None, Some(key)) => {
                let message = "`cert` is missing: the key cannot be used without it";
                findings.lacks(key.span(), &["cert"], message, "add cert = \"cert.pem\"");
            }
            _ => {}
        }
        read(self.cert, folder, findings).zip(read(self.key, folder, findings))
    }

    fn report(&self, error: &TlsError, findings: &mut Findings<'_>) {
        let plain = |help: &str| help.to_owned();
        let (value, help) = match error {
            TlsError::NoRoots(_) => {
                (None, format!("install ca-certificates, or add {} and ca = \"ca.pem\" below it", self.title))
            }
            TlsError::Authority(_) => (self.ca, plain("name a file with the issuer's certificate in PEM")),
            TlsError::Certificate(_) => {
                (self.cert, plain("name a file with the certificate in PEM, followed by those of its issuers"))
            }
            TlsError::Key(_) => (self.key, plain("name a file with the certificate's private key in PEM")),
            TlsError::Name => {
                (self.name, plain("write the name in the server's certificate, as in \"server.example.com\""))
            }
        };
        let message = match value {
            Some(value) => format!("`{}` {error}", value.get_ref()),
            None => error.to_string(),
        };
        match value.map(Spanned::span).or_else(|| self.url.clone()) {
            Some(place) => findings.error(place, message, help),
            None => findings.error_nowhere(Problem::new(message, help)),
        }
    }
}

fn read(path: Option<&Text>, folder: &Path, findings: &mut Findings<'_>) -> Option<Vec<u8>> {
    let path = path?;
    let help =
        "name a file in PEM that exists and that this user may read; relative paths start at the folder of proxy.toml";
    let bytes = read_pem(&folder.join(path.get_ref()));
    findings.check(path, bytes.map_err(|error| Problem::new(format!("{} {error}", path.get_ref()), help)))
}
