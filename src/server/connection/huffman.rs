//! Huffman codes of HPACK, as far as it takes to find one character among them.

/// The bits of a Huffman code so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Code {
    bits: u32,
    count: usize,
}

/// Below which value so many bits are a whole code: codes are canonical, so at each length the first ones are.
///
/// Source: RFC 7541 appendix B
const WHOLE: [u32; 31] = [
    0x0,
    0x0,
    0x0,
    0x0,
    0x0,
    0xa,
    0x2e,
    0x7c,
    0xfe,
    0x1fc,
    0x3fd,
    0x7fd,
    0xffc,
    0x1ffe,
    0x3ffe,
    0x7fff,
    0xfffe,
    0x1fffc,
    0x3fff8,
    0x7fff3,
    0xfffee,
    0x001f_ffe9,
    0x003f_ffec,
    0x007f_fff5,
    0x00ff_fff6,
    0x01ff_fff0,
    0x03ff_ffef,
    0x07ff_fff1,
    0x0fff_ffff,
    0x1fff_fffe,
    0x4000_0000,
];

/// That of `#`; that of `>` has the last bit set.
const FRAGMENT: Code = Code { bits: 0xffa, count: 12 };

impl Code {
    /// Goes through a byte's bits, and makes a `>` of a `#` that ends in it.
    pub(super) fn read(&mut self, byte: &mut u8) {
        for shift in (0..8).rev() {
            *self = Self { bits: self.bits << 1 | u32::from(*byte >> shift & 1), count: self.count + 1 };
            if *self == FRAGMENT {
                *byte |= 1 << shift;
            }
            // No code is longer; what is none ends a block that is refused.
            if WHOLE.get(self.count).is_none_or(|whole| self.bits < *whole) {
                *self = Self::default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_codes_of_each_length_as_the_appendix_has() {
        let of_five_to_thirty =
            [10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3, 0, 0, 0, 3, 8, 13, 26, 29, 12, 4, 15, 19, 29, 0, 4];
        let counted: Vec<u32> = WHOLE.windows(2).map(|pair| pair[1] - 2 * pair[0]).collect();
        assert_eq!(counted, [&[0; 4][..], &of_five_to_thirty].concat());
    }
}
