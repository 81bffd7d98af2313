//! Pieces put together.

use bytes::Bytes;

/// What was read so far. One piece is kept as it is; of several the bytes are copied, so that many small ones cost what
/// they are long and no more.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    first: Bytes,
    all: Vec<u8>,
    expected: usize,
}

impl Gathered {
    /// Of a body that is so long, as far as is known: that much room is made once, where growing would take twice as much.
    pub(super) fn expecting(bytes: usize) -> Self {
        Self { expected: bytes, ..Self::default() }
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        if self.all.is_empty() {
            if self.first.is_empty() {
                self.first = piece;
                return;
            }
            self.all.reserve_exact(self.expected);
            self.all.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.all.extend_from_slice(&piece);
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> u64 {
        (self.first.len() + self.all.len()) as u64
    }

    pub(super) fn into_bytes(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_back_in_one() {
        for pieces in [&[][..], &["a"], &["", "a"], &["a", "b", "", "c"]] {
            let mut gathered = Gathered::default();
            for piece in pieces {
                gathered.push(Bytes::from_static(piece.as_bytes()));
            }
            assert_eq!(gathered.len(), pieces.concat().len() as u64);
            assert_eq!(gathered.into_bytes(), pieces.concat());
        }
    }

    #[test]
    fn what_is_expected_takes_no_more_room_than_it_is_long() {
        let mut gathered = Gathered::expecting(1000);
        for _ in 0..100 {
            gathered.push(Bytes::from_static(b"ten bytes."));
        }
        assert_eq!((gathered.all.len(), gathered.all.capacity()), (1000, 1000));
    }

    #[test]
    fn a_million_pieces_cost_what_they_are_long() {
        let mut gathered = Gathered::default();
        for _ in 0..1_000_000 {
            gathered.push(Bytes::from_static(b"x"));
        }
        assert!(gathered.all.capacity() <= 2 << 20);
    }
}
