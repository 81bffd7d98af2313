//! TLS as its client, towards the origin and Redis: whom the server must be certified by, and what went wrong when it is not.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme, WantsVerifier,
};

use crate::files::{certificates, private_key};

/// How to speak TLS to one server. Made once, shared by all cores.
#[derive(Clone)]
pub struct Tls {
    client: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
    verify: bool,
    /// Of whom is trusted, and of the certificate and key of ours: never shown.
    made_of: [u8; 32],
}

/// Whose certificates are believed.
#[derive(Debug)]
pub enum Trust<'p> {
    /// Those that this machine trusts.
    Machine,
    /// Those that these certificates have issued, in PEM.
    Only(&'p [u8]),
    /// Anybody's: the connection is secret, and nobody knows with whom.
    Anybody,
}

/// The certificate that the server may ask for, and its key, both in PEM.
#[derive(Clone, Copy)]
pub struct Identity<'p> {
    /// The certificate, and those that lead to its issuer.
    pub certificate: &'p [u8],
    /// Its private key.
    pub key: &'p [u8],
}

/// Why TLS cannot be set up. Says nothing of what is in a key. But for the first, the text goes on where the name of a file,
/// or what stands in its place, stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsError {
    /// This machine trusts nobody, or what it trusts cannot be read.
    NoRoots(String),
    /// No certificate of an issuer can be read.
    Authority(String),
    /// The client's certificate cannot be read.
    Certificate(String),
    /// The client's key cannot be read, or is not that certificate's.
    Key(String),
    /// The name to verify is none.
    Name,
}

impl fmt::Display for TlsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoots(why) => write!(out, "this machine has no trusted certificates{why}"),
            Self::Authority(why) | Self::Certificate(why) | Self::Key(why) => out.write_str(why),
            Self::Name => out.write_str("is neither a host name nor an IP address"),
        }
    }
}

impl StdError for TlsError {}

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Tls").field("name", &self.name).field("verify", &self.verify).finish_non_exhaustive()
    }
}

impl PartialEq for Tls {
    /// Whether both were made of the same, whatever the files are called that it was in.
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.verify, self.made_of) == (&other.name, other.verify, other.made_of)
    }
}

impl Eq for Tls {}

impl Tls {
    /// Sets it up. `name` is what the server's certificate must be for, where that is not the URL's host.
    pub fn new(trust: &Trust<'_>, name: Option<&str>, identity: Option<Identity<'_>>) -> Result<Self, TlsError> {
        let name = name.map(|name| ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name)).transpose()?;
        let mut made_of = Sha256::new();
        let mut trusting = |roots: RootCertStore| {
            for root in &roots.roots {
                piece(&mut made_of, root.subject.as_ref());
                piece(&mut made_of, root.subject_public_key_info.as_ref());
            }
            builder().map(|builder| builder.with_root_certificates(roots))
        };
        let builder = match trust {
            Trust::Machine => trusting(machines()?)?,
            Trust::Only(pem) => trusting(listed(pem)?)?,
            Trust::Anybody => {
                builder()?.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(ring::default_provider())))
            }
        };
        if let Some(Identity { certificate, key }) = identity {
            piece(&mut made_of, certificate);
            piece(&mut made_of, key);
        }
        let client = Arc::new(with_identity(builder, identity)?);
        Ok(Self { client, name, verify: !matches!(trust, Trust::Anybody), made_of: made_of.finalize().into() })
    }

    /// Whether the server has to prove who it is.
    pub fn verifies(&self) -> bool {
        self.verify
    }

    /// What rustls is told.
    pub fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.client)
    }

    /// What the server's certificate must be for, where that is not its host.
    pub fn name(&self) -> Option<&ServerName<'static>> {
        self.name.as_ref()
    }
}

/// Adds a piece in such a way that two are never one.
fn piece(digest: &mut Sha256, bytes: &[u8]) {
    digest.update((bytes.len() as u64).to_be_bytes());
    digest.update(bytes);
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::NoRoots(format!(": {error}")))
}

/// Whom this machine trusts.
fn machines() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(TlsError::NoRoots(why));
    }
    Ok(roots)
}

fn listed(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem).map_err(|error| TlsError::Authority(error.to_string()))? {
        let not_valid = |error| TlsError::Authority(format!("contains a certificate that is not valid: {error}"));
        roots.add(certificate).map_err(not_valid)?;
    }
    Ok(roots)
}

fn with_identity(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    identity: Option<Identity<'_>>,
) -> Result<ClientConfig, TlsError> {
    let Some(Identity { certificate, key }) = identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(certificate).map_err(|error| TlsError::Certificate(error.to_string()))?;
    let key = private_key(key).map_err(|error| TlsError::Key(error.to_string()))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| match error {
        Error::InconsistentKeys(_) => TlsError::Key("is not the key of the certificate".to_owned()),
        _ => TlsError::Key("contains a private key of a type that is not supported".to_owned()),
    })
}

/// What is wrong with a server.
#[derive(Clone, Copy)]
enum Flaw {
    Expired,
    NotValidYet,
    UnknownIssuer,
    OtherName,
    Authority,
    NoTls,
    WantsCertificate,
}

impl Flaw {
    /// In words. `table` is the one of the configuration that says how TLS is spoken.
    fn explain(self, table: &str) -> String {
        match self {
            Self::Expired => "its certificate has expired".to_owned(),
            Self::NotValidYet => "its certificate is not valid yet".to_owned(),
            Self::UnknownIssuer => {
                format!("its certificate is from an unknown issuer, whose certificate can be named by `ca` in {table}")
            }
            Self::OtherName => format!("its certificate is for another name, and `name` in {table} can say which"),
            Self::Authority => {
                "its certificate is an authority's and not a server's: let that authority issue one for \
                                the server, or make it anew with basicConstraints CA:FALSE"
                    .to_owned()
            }
            Self::NoTls => "it does not speak TLS".to_owned(),
            Self::WantsCertificate => {
                format!("it wants a certificate of aside's, which `cert` and `key` in {table} can name")
            }
        }
    }
}

/// Why TLS failed, in words; `None` where it was not TLS that failed. `table` is the one of the configuration that says how
/// TLS is spoken.
pub fn explain(error: &(dyn StdError + 'static), table: &str) -> Option<String> {
    let why = std::iter::successors(Some(error), |outer| (*outer).source()).find_map(of_tls)?;
    let flaw = match why {
        Error::InvalidCertificate(why) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Flaw::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Flaw::NotValidYet,
            CertificateError::UnknownIssuer => Flaw::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                return Some(format!("{}: {why}", Flaw::OtherName.explain(table)));
            }
            // The verifier has no name of its own for it.
            CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => Flaw::Authority,
            _ => return Some(format!("its certificate is not to be believed: {why}")),
        },
        Error::InvalidMessage(_) => Flaw::NoTls,
        Error::AlertReceived(AlertDescription::CertificateRequired) => Flaw::WantsCertificate,
        why => return Some(format!("TLS failed: {why}")),
    };
    Some(flaw.explain(table))
}

/// The same of an error that has come through a crate which keeps of it no more than what `{:?}` prints.
pub fn explain_printed(text: &str, table: &str) -> Option<String> {
    const NAMES: [(&str, Flaw); 7] = [
        ("(Expired", Flaw::Expired),
        ("(NotValidYet", Flaw::NotValidYet),
        ("(UnknownIssuer", Flaw::UnknownIssuer),
        ("(NotValidForName", Flaw::OtherName),
        ("CaUsedAsEndEntity", Flaw::Authority),
        ("InvalidMessage(", Flaw::NoTls),
        ("AlertReceived(CertificateRequired", Flaw::WantsCertificate),
    ];
    let flaw = NAMES.iter().find(|(name, _)| text.contains(name)).map(|(_, flaw)| flaw.explain(table));
    let others = ["InvalidCertificate(", "AlertReceived(", "PeerIncompatible(", "PeerMisbehaved("];
    let other = || others.iter().any(|name| text.contains(name)).then(|| format!("TLS failed: {text}"));
    flaw.or_else(other)
}

/// The fault of TLS that an error is, however deep I/O errors have wrapped it.
fn of_tls<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Error> {
    if let Some(fault) = error.downcast_ref() {
        return Some(fault);
    }
    let inner: &(dyn StdError + 'static) = error.downcast_ref::<io::Error>()?.get_ref()?;
    of_tls(inner)
}

/// Believes whatever certificate is shown; only that its key is at hand is still asked for.
#[derive(Debug)]
struct Unverified(CryptoProvider);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
