//! The certificate: read, offered to clients, and read again when its files change.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};

use crate::files::{certificates, private_key, read_pem};

/// `[tls]`: the two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate and those between it and the root, in PEM.
    pub cert: PathBuf,
    /// Its private key, in PEM, not encrypted.
    pub key: PathBuf,
}

/// Why a certificate cannot be used. Says nothing of what is in the key's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError {
    /// Whether the key's file is at fault, and not the certificate's.
    pub in_key: bool,
    /// What to do about it.
    pub help: &'static str,
    file: PathBuf,
    cause: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.file.display(), self.cause)
    }
}

impl std::error::Error for TlsError {}

const READABLE: &str =
    "name a file that exists and that this user may read; relative paths start at the folder of proxy.toml";
const CERTIFICATE: &str = "name a file with the certificate and those of its issuers: parts between \
     -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----";
const KEY: &str = "name a file with -----BEGIN PRIVATE KEY----- (RSA, ECDSA or Ed25519); to decrypt an encrypted one: \
     openssl pkey -in key.pem -out plain.pem";
const PAIR: &str = "name the key that this certificate was made for, and put the server's certificate first in its file; \
     openssl x509 -in cert.pem -noout -pubkey and openssl pkey -in key.pem -pubout print the same for a pair";

impl TlsSettings {
    /// Reads both files and looks whether they belong together.
    pub fn check(&self) -> Result<(), TlsError> {
        self.read(&[]).map(drop)
    }

    fn read(&self, protocols: &[&[u8]]) -> Result<Arc<ServerConfig>, TlsError> {
        let of_cert = |cause, help| TlsError { in_key: false, help, file: self.cert.clone(), cause };
        let of_key = |cause, help| TlsError { in_key: true, help, file: self.key.clone(), cause };
        let text = read_pem(&self.cert).map_err(|error| of_cert(error.to_string(), READABLE))?;
        let chain = certificates(&text).map_err(|error| of_cert(error.to_string(), CERTIFICATE))?;
        let text = read_pem(&self.key).map_err(|error| of_key(error.to_string(), READABLE))?;
        let key = private_key(&text).map_err(|error| of_key(error.to_string(), KEY))?;
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| of_cert(format!("cannot be used: {error}"), CERTIFICATE))?;
        let config = builder.with_no_client_auth().with_single_cert(chain, key);
        let mut config = config.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                of_key(format!("is not the key of the certificate in {}", self.cert.display()), PAIR)
            }
            rustls::Error::InvalidCertificate(why) => {
                of_cert(format!("contains a certificate that is not valid: {why:?}"), CERTIFICATE)
            }
            _ => of_key("contains a private key of a type that is not supported".to_owned(), KEY),
        })?;
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }

    /// What tells that a file was changed; `None` where one is not there.
    fn stamp(&self) -> Option<[(i64, i64, u64, u64); 2]> {
        let stamp = |path: &Path| {
            let about = fs::metadata(path).ok()?;
            Some((about.mtime(), about.mtime_nsec(), about.size(), about.ino()))
        };
        Some([stamp(&self.cert)?, stamp(&self.key)?])
    }
}

fn tell_refused(error: &TlsError) {
    tracing::warn!("{error}; the certificate read before stays in use");
}

/// Which certificate is offered, and which protocols by ALPN.
#[derive(Debug)]
struct About {
    settings: TlsSettings,
    protocols: &'static [&'static [u8]],
}

impl About {
    fn new(settings: TlsSettings, http2: bool) -> Self {
        let protocols: &[&[u8]] = if http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
        Self { settings, protocols }
    }

    fn read(&self) -> Result<Arc<ServerConfig>, TlsError> {
        self.settings.read(self.protocols)
    }
}

/// The certificate in use, the same for all cores.
#[derive(Debug)]
pub(super) struct Certificate {
    about: ArcSwap<About>,
    current: ArcSwap<ServerConfig>,
}

/// How often the files are looked at. A change counts once it has stood for that long, so that two files which are
/// replaced one after the other are read together.
const LOOK: Duration = Duration::from_secs(1);

impl Certificate {
    /// Reads it. `http2` offers HTTP/2 besides HTTP/1.1.
    pub(super) fn new(settings: TlsSettings, http2: bool) -> Result<Self, TlsError> {
        let about = About::new(settings, http2);
        let current = ArcSwap::new(about.read()?);
        Ok(Self { about: ArcSwap::from_pointee(about), current })
    }

    /// What shakes hands with a new client.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Reads it again, or another one. A bad one changes nothing but a line in the log.
    pub(super) fn change(&self, settings: TlsSettings, http2: bool) {
        self.about.store(Arc::new(About::new(settings, http2)));
        if let Err(error) = self.replace() {
            tell_refused(&error);
        }
    }

    fn replace(&self) -> Result<(), TlsError> {
        let about = self.about.load();
        self.current.store(about.read()?);
        tracing::info!("the certificate in {} was read again", about.settings.cert.display());
        Ok(())
    }

    /// Reads it again whenever its files have changed, until told to stop.
    pub(super) async fn follow(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let mut known = self.about.load().settings.stamp();
        let mut seen = known;
        let mut refused = None;
        loop {
            tokio::select! {
                () = sleep(LOOK) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            let certificate = Arc::clone(&self);
            let looking = spawn_blocking(move || {
                let now = certificate.about.load().settings.stamp();
                let settled = now == seen && now != known;
                (now, settled.then(|| certificate.replace()))
            });
            let Ok((now, replaced)) = looking.await else { continue };
            seen = now;
            match replaced {
                None => {}
                Some(Ok(())) => (known, refused) = (now, None),
                // Tried at every look, since a file may only be out of reach for a moment; told once.
                Some(Err(error)) => {
                    if refused.as_ref() != Some(&error) {
                        tell_refused(&error);
                    }
                    refused = Some(error);
                }
            }
        }
    }
}
