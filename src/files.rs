//! Files that the configuration names: read whole and within bounds, and the certificates and keys in those that are PEM.
//! What is in them is shown nowhere.

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Larger files hold no certificates.
const LARGEST_PEM: u64 = 1 << 20;

/// Why a file, or what is in it, cannot be used. Its text goes on where the file's name stops: `key.pem is a directory`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileError {
    /// It is not there, or may not be read.
    Unreadable(String),
    /// It is a directory.
    Directory,
    /// It is a device, a socket, or a pipe where none is taken.
    NotRegular,
    /// It has more than this many bytes.
    TooLarge(u64),
    /// Its PEM is damaged.
    DamagedPem,
    /// It has no certificate in PEM.
    NoCertificate,
    /// It has no private key in PEM, or only an encrypted one.
    NoKey,
}

impl fmt::Display for FileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(out, "cannot be read: {why}"),
            Self::Directory => out.write_str("is a directory"),
            Self::NotRegular => out.write_str("is not a regular file"),
            Self::TooLarge(most) if most.is_multiple_of(1 << 20) => write!(out, "is larger than {}MiB", most >> 20),
            Self::TooLarge(most) => write!(out, "is larger than {}KiB", most >> 10),
            Self::DamagedPem => out.write_str("is not valid PEM"),
            Self::NoCertificate => out.write_str("contains no certificate in PEM"),
            Self::NoKey => out.write_str("contains no unencrypted private key in PEM"),
        }
    }
}

impl std::error::Error for FileError {}

/// A regular file's bytes, up to this many.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    // Asked before it is opened: opening a pipe waits for its writer.
    let about = fs::metadata(path).map_err(|error| FileError::Unreadable(error.to_string()))?;
    if about.is_dir() {
        return Err(FileError::Directory);
    }
    if !about.is_file() {
        return Err(FileError::NotRegular);
    }
    read_stream(path, most)
}

/// The same of a pipe, too, as a shell makes one for `<(…)`. Waits until it ends.
pub fn read_stream(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let unreadable = |error: std::io::Error| FileError::Unreadable(error.to_string());
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().is_ok_and(|about| about.is_dir()) {
        return Err(FileError::Directory);
    }
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > most {
        return Err(FileError::TooLarge(most));
    }
    Ok(bytes)
}

/// The bytes of a file that should be PEM.
pub fn read_pem(path: &Path) -> Result<Vec<u8>, FileError> {
    read(path, LARGEST_PEM)
}

/// The certificates in PEM, in their order; at least one.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(FileError::NoCertificate),
        Ok(found) => Ok(found),
        Err(_) => Err(FileError::DamagedPem),
    }
}

/// The first private key in PEM.
pub fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, FileError> {
    // The reader's own message may show what is in the file.
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| FileError::NoKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, [b'x'; 2048]).unwrap();
        assert_eq!(read(&path, 2048).map(|bytes| bytes.len()), Ok(2048));
        assert_eq!(read(&path, 1024), Err(FileError::TooLarge(1024)));
        assert_eq!(read_stream(&path, 1024).unwrap_err().to_string(), "is larger than 1KiB");
    }

    #[test]
    fn what_is_no_file_is_told_for_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path(), 1), Err(FileError::Directory));
        assert_eq!(read_stream(folder.path(), 1), Err(FileError::Directory));
        assert_eq!(read(Path::new("/dev/null"), 1), Err(FileError::NotRegular));
        assert_eq!(read_stream(Path::new("/dev/null"), 1), Ok(Vec::new()));
        let missing = read(&folder.path().join("none"), 1).unwrap_err().to_string();
        assert!(missing.starts_with("cannot be read: No such file"), "{missing}");
    }

    #[test]
    fn certificates_and_keys_are_found_or_missed() {
        let made = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let both = format!("{certificate}{certificate}{key}");
        assert_eq!(certificates(both.as_bytes()).map(|found| found.len()), Ok(2));
        assert!(private_key(both.as_bytes()).is_ok());
        assert_eq!(certificates(key.as_bytes()), Err(FileError::NoCertificate));
        assert_eq!(certificates(b"-----BEGIN CERTIFICATE-----\nAAAA"), Err(FileError::DamagedPem));
        assert_eq!(private_key(certificate.as_bytes()).unwrap_err(), FileError::NoKey);
    }
}
