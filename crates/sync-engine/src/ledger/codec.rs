//! Stored payloads: opaque bytes behind a header that names their codec.

use bytes::Bytes;
use erp_core::error::{Error, Result};
use std::cell::RefCell;
use std::fmt;
use std::io;
use zstd::bulk::{Compressor, Decompressor};

/// The header of a stored payload: what follows is JSON as it is, or compressed. Encryption will be a third.
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
/// Smaller payloads are not worth compressing.
const COMPRESS_FROM: usize = 1024;
/// The largest payload that is unpacked.
const PAYLOAD_MAX: usize = 64 << 20;

/// Packs and unpacks, with contexts that are made once: making one costs as much as a small payload.
#[derive(Default)]
pub(super) struct Codec {
    compressor: RefCell<Option<Compressor<'static>>>,
    decompressor: RefCell<Option<Decompressor<'static>>>,
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Codec")
    }
}

impl Codec {
    pub(super) fn compress(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut slot = self.compressor.borrow_mut();
        if slot.is_none() {
            *slot = Some(Compressor::new(1)?);
        }
        slot.as_mut()
            .map_or_else(|| Err(io::ErrorKind::Other.into()), |compressor| compressor.compress(bytes))
    }

    fn decompress(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut slot = self.decompressor.borrow_mut();
        if slot.is_none() {
            *slot = Some(Decompressor::new()?);
        }
        slot.as_mut().map_or_else(
            || Err(io::ErrorKind::Other.into()),
            |decompressor| decompressor.decompress(bytes, PAYLOAD_MAX),
        )
    }

    pub(super) fn pack(&self, payload: &[u8]) -> Vec<u8> {
        if payload.len() >= COMPRESS_FROM
            && let Ok(packed) = self.compress(payload)
        {
            return [&[ZSTD], packed.as_slice()].concat();
        }
        [&[PLAIN], payload].concat()
    }

    pub(super) fn unpack(&self, packed: &[u8]) -> Result<Bytes> {
        match packed.split_first() {
            None => Ok(Bytes::new()),
            Some((&PLAIN, payload)) => Ok(Bytes::copy_from_slice(payload)),
            Some((&ZSTD, packed)) => self
                .decompress(packed)
                .map(Bytes::from)
                .map_err(|e| Error::unexpected("a stored record cannot be unpacked").with_source(e)),
            Some((codec, _)) => Err(Error::config(format!("a stored record has the unknown codec {codec}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_comes_out_again_whatever_its_size() {
        let codec = Codec::default();
        for size in [0, 1, COMPRESS_FROM - 1, COMPRESS_FROM, 100_000] {
            let payload: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let packed = codec.pack(&payload);
            assert_eq!(codec.unpack(&packed).unwrap(), payload, "{size}");
            assert_eq!(packed[0] == ZSTD, size >= COMPRESS_FROM);
        }
    }

    #[test]
    fn unknown_codecs_and_torn_payloads_are_told() {
        let codec = Codec::default();
        assert_eq!(codec.unpack(&[9, 1]).unwrap_err().code(), "erp.config");
        let mut packed = codec.pack(&[7; 5000]);
        packed.truncate(packed.len() / 2);
        assert_eq!(codec.unpack(&packed).unwrap_err().code(), "erp.unexpected");
        assert_eq!(codec.unpack(&codec.pack(&[7; 5000])).unwrap().len(), 5000, "it works on after that");
    }
}
