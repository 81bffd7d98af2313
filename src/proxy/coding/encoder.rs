//! A whole body in a content coding.

use std::io::{self, Write};

use brotli::enc::BrotliEncoderParams;
use brotli::enc::backward_references::BrotliEncoderMode;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::fields::ContentCoding;

/// Each a little below the level at which time begins to grow faster than the copy shrinks: a copy is made once, but
/// somebody waits for it.
const GZIP_LEVEL: u32 = 6;
const BROTLI_QUALITY: i32 = 5;
const ZSTD_LEVEL: i32 = 5;

/// Brotli's largest window within RFC 7932. Zstd's at this level is at most 2 MiB, below the 8 MiB that RFC 9659 allows.
const BROTLI_WINDOW: i32 = 22;

/// The body in that coding; the same bytes each time.
pub(super) fn encode(identity: &[u8], coding: ContentCoding) -> io::Result<Vec<u8>> {
    match coding {
        ContentCoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::with_capacity(identity.len() / 3), Compression::new(GZIP_LEVEL));
            encoder.write_all(identity)?;
            encoder.finish()
        }
        ContentCoding::Br => {
            let params = BrotliEncoderParams {
                quality: BROTLI_QUALITY,
                lgwin: BROTLI_WINDOW,
                mode: BrotliEncoderMode::BROTLI_MODE_TEXT,
                size_hint: identity.len(),
                ..BrotliEncoderParams::default()
            };
            let mut encoded = Vec::with_capacity(identity.len() / 3);
            brotli::BrotliCompress(&mut &*identity, &mut encoded, &params)?;
            Ok(encoded)
        }
        ContentCoding::Zstd => zstd::bulk::compress(identity, ZSTD_LEVEL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn decoded(encoded: &[u8], coding: ContentCoding) -> Vec<u8> {
        let mut decoded = Vec::new();
        match coding {
            ContentCoding::Gzip => flate2::read::GzDecoder::new(encoded).read_to_end(&mut decoded).unwrap(),
            ContentCoding::Br => brotli::Decompressor::new(encoded, 4096).read_to_end(&mut decoded).unwrap(),
            ContentCoding::Zstd => {
                zstd::stream::read::Decoder::new(encoded).unwrap().read_to_end(&mut decoded).unwrap()
            }
        };
        decoded
    }

    #[test]
    fn what_is_encoded_is_decoded_to_the_same() {
        let bodies = [Vec::new(), b"x".to_vec(), (0..=255).cycle().take(100_000).collect(), vec![b'a'; 200_000]];
        for coding in ContentCoding::ALL {
            for body in &bodies {
                let encoded = encode(body, coding).unwrap();
                assert_eq!(decoded(&encoded, coding), *body, "{coding:?} {}", body.len());
                assert_eq!(encode(body, coding).unwrap(), encoded, "the same each time");
            }
        }
    }
}
