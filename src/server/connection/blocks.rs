//! The targets in a client's bytes of HTTP/2, for a fragment in one: the HTTP library would cut it off unseen.
//!
//! Frames and header blocks are gone through as far as it takes to find each `:path` that is written out, by its place in
//! the static table or by its name; an entry of the dynamic table has been written out before. (That its name alone is taken
//! from there no known client does, for the static table has it: such a fragment is cut off unseen.) In place of its `#` stands
//! a `>`, which no target may have and which is as long, so that the library refuses that one stream.
//!
//! Source: RFC 9113 sections 4.1, 6.2 and 6.10, RFC 7541 sections 5 and 6

use std::mem::take;

use super::heads::NO_TARGET;

/// What a client begins with.
///
/// Source: RFC 9113 section 3.4
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
const FRAME_HEAD: usize = 9;

/// Where `:path` stands in the static table, with `/` and with `/index.html`.
const PATHS: [u8; 2] = [4, 5];
/// Its name as a literal, and Huffman-coded.
const NAME: &[u8] = b":path";
const CODED_NAME: &[u8] = &[0xb9, 0x58, 0xd3, 0x3f];

/// Follows the bytes of one connection.
#[derive(Debug)]
pub(super) struct Blocks {
    at: At,
    head: [u8; FRAME_HEAD],
    field: Field,
}

/// Where the next byte belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// To what a client begins with, of which so many bytes are to come.
    Preface(usize),
    /// To a frame's head, of which so many bytes are there.
    Head(usize),
    /// To so many bytes of a frame that are of no block, and so many of a block before so many of padding.
    Frame { before: usize, block: usize, after: usize },
    /// To the length of the padding of a frame of so many bytes, and so many of a priority behind it.
    Padding { length: usize, priority: usize },
}

/// Where in a header block the next byte belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// To a field's first byte.
    First,
    /// To the rest of a number, before what comes next.
    Number(Next),
    /// To the length of a string.
    Length(Text),
    /// To the rest of that length, with what is known of it.
    More { text: Text, coded: bool, length: u64, shift: u32 },
    /// To a string of so many more bytes.
    String { text: Text, coded: bool, left: u64, code: Code },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Field,
    Value { path: bool },
}

/// What a string is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    /// A name, of which so many bytes are those of `:path`; `None` where one was not.
    Name(Option<usize>),
    /// A value, and whether it is a path's.
    Value { path: bool },
}

impl Blocks {
    /// Before the first byte of a connection.
    pub(super) fn new() -> Self {
        Self { at: At::Preface(PREFACE.len()), head: [0; FRAME_HEAD], field: Field::First }
    }

    /// Takes the next bytes, and changes them where a path has a fragment.
    pub(super) fn take(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let used = self.step(bytes).clamp(1, bytes.len());
            bytes = take(&mut bytes).get_mut(used..).unwrap_or_default();
        }
    }

    /// Goes through some of the bytes, and says how many.
    fn step(&mut self, bytes: &mut [u8]) -> usize {
        let there = bytes.len();
        match self.at {
            At::Preface(left) => {
                let used = left.min(there);
                self.at = if used == left { At::Head(0) } else { At::Preface(left - used) };
                used
            }
            At::Head(known) => {
                for (byte, new) in self.head.iter_mut().skip(known).zip(bytes.iter()) {
                    *byte = *new;
                }
                let used = (FRAME_HEAD - known).min(there);
                self.at = if known + used == FRAME_HEAD { self.frame() } else { At::Head(known + used) };
                used
            }
            At::Padding { length, priority } => {
                let rest = length.saturating_sub(1);
                let after = bytes.first().map_or(0, |byte| usize::from(*byte)).min(rest);
                let priority = priority.min(rest - after);
                self.at = frame(priority, rest - after - priority, after);
                1
            }
            At::Frame { before: before @ 1.., block, after } => {
                let used = before.min(there);
                self.at = frame(before - used, block, after);
                used
            }
            At::Frame { block: block @ 1.., after, .. } => {
                let used = block.min(there);
                for byte in bytes.iter_mut().take(used) {
                    self.field = self.field.then(byte);
                }
                self.at = frame(0, block - used, after);
                used
            }
            At::Frame { after, .. } => {
                let used = after.min(there);
                self.at = frame(0, 0, after - used);
                used
            }
        }
    }

    /// What the head says of its frame.
    fn frame(&mut self) -> At {
        let [high, middle, low, kind, flags, ..] = self.head;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let priority = if kind == HEADERS && flags & PRIORITY != 0 { length.min(5) } else { 0 };
        match kind {
            HEADERS | CONTINUATION => {
                if kind == HEADERS {
                    self.field = Field::First;
                }
                let padded = kind == HEADERS && flags & PADDED != 0 && length > 0;
                if padded { At::Padding { length, priority } } else { frame(priority, length - priority, 0) }
            }
            _ => frame(length, 0, 0),
        }
    }
}

fn frame(before: usize, block: usize, after: usize) -> At {
    if before + block + after == 0 { At::Head(0) } else { At::Frame { before, block, after } }
}

impl Field {
    /// Where the byte after this one belongs. Changes this one where it is a `#` of a path, or the end of one.
    fn then(self, byte: &mut u8) -> Self {
        match self {
            Self::First => first(*byte),
            Self::Number(next) if *byte & 0x80 == 0 => next.begins(),
            Self::Number(next) => Self::Number(next),
            Self::Length(text) => {
                let (coded, length) = (*byte & 0x80 != 0, u64::from(*byte & 0x7f));
                if length == 0x7f { Self::More { text, coded, length, shift: 0 } } else { string(text, coded, length) }
            }
            Self::More { text, coded, length, shift } => {
                let length = length.saturating_add(u64::from(*byte & 0x7f).checked_shl(shift).unwrap_or(u64::MAX));
                if *byte & 0x80 == 0 {
                    string(text, coded, length)
                } else {
                    Self::More { text, coded, length, shift: shift.saturating_add(7) }
                }
            }
            Self::String { text, coded, left, mut code } => {
                let text = match text {
                    Text::Name(same) => {
                        Text::Name(same.filter(|at| name(coded).get(*at) == Some(byte)).map(|at| at + 1))
                    }
                    Text::Value { path: true } if coded => {
                        code.read(byte);
                        text
                    }
                    Text::Value { path: true } if *byte == b'#' => {
                        *byte = NO_TARGET;
                        text
                    }
                    text @ Text::Value { .. } => text,
                };
                if left > 1 { Self::String { text, coded, left: left - 1, code } } else { text.ends(coded) }
            }
        }
    }
}

/// What a field's first byte says of it.
fn first(byte: u8) -> Field {
    let (index, most, next) = match byte {
        0x80.. => (byte & 0x7f, 0x7f, Next::Field),
        0x40.. => (byte & 0x3f, 0x3f, Next::Value { path: PATHS.contains(&(byte & 0x3f)) }),
        0x20.. => (byte & 0x1f, 0x1f, Next::Field),
        _ => (byte & 0x0f, 0x0f, Next::Value { path: PATHS.contains(&(byte & 0x0f)) }),
    };
    match next {
        _ if index == most => Field::Number(next),
        Next::Value { .. } if index == 0 => Field::Length(Text::Name(Some(0))),
        next => next.begins(),
    }
}

fn string(text: Text, coded: bool, length: u64) -> Field {
    if length == 0 { text.ends(coded) } else { Field::String { text, coded, left: length, code: Code::default() } }
}

fn name(coded: bool) -> &'static [u8] {
    if coded { CODED_NAME } else { NAME }
}

impl Next {
    fn begins(self) -> Field {
        match self {
            Self::Field => Field::First,
            Self::Value { path } => Field::Length(Text::Value { path }),
        }
    }
}

impl Text {
    /// What comes after the whole of it.
    fn ends(self, coded: bool) -> Field {
        match self {
            Self::Name(same) => Field::Length(Self::Value { path: same == Some(name(coded).len()) }),
            Self::Value { .. } => Field::First,
        }
    }
}

/// The bits of a Huffman code of HPACK so far, as far as it takes to find one character among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Code {
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
    fn read(&mut self, byte: &mut u8) {
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
    use proptest::prelude::*;

    use super::*;

    const END_HEADERS: u8 = 0x4;

    fn frame_of(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// What becomes of frames in pieces of so many bytes.
    fn taken(frames: &[Vec<u8>], piece: usize) -> Vec<u8> {
        let mut bytes = [PREFACE, &frames.concat()].concat();
        let mut blocks = Blocks::new();
        bytes.chunks_mut(piece.max(1)).for_each(|piece| blocks.take(piece));
        bytes.split_off(PREFACE.len())
    }

    /// Header blocks, each with what becomes of it.
    fn blocks() -> Vec<(Vec<u8>, Vec<u8>)> {
        let field = |first: &[u8], value: &[u8]| [first, &[u8::try_from(value.len()).unwrap()], value].concat();
        let named = |name: &[u8], value: &[u8]| field(&field(&[0x40], name), value);
        let long = |value: &[u8]| [&[0x04, 0x7f, u8::try_from(value.len() - 0x7f).unwrap()], value].concat();
        let coded = |first: &[u8], value: &[u8]| [first, &[0x80 | u8::try_from(value.len()).unwrap()], value].concat();
        let name = [&[0x00, 0x84], CODED_NAME].concat();
        let text = format!("/{}#x", "a".repeat(150));
        let mut found = vec![
            (field(&[0x44], b"/a#b"), field(&[0x44], b"/a>b")),
            (field(&[0x04], b"/?#"), field(&[0x04], b"/?>")),
            (field(&[0x15], b"#"), field(&[0x15], b">")),
            (named(b":path", b"/a#b#c"), named(b":path", b"/a>b>c")),
            (field(&name, b"/#"), field(&name, b"/>")),
            (long(text.as_bytes()), long(text.replace('#', ">").as_bytes())),
            // `/#`, `a#`, and `#` after octets with the longest codes there are.
            (coded(&[0x44], &[0x63, 0xfe, 0xbf]), coded(&[0x44], &[0x63, 0xfe, 0xff])),
            (coded(&[0x44], &[0x1f, 0xfd, 0x7f]), coded(&[0x44], &[0x1f, 0xfd, 0xff])),
            (
                coded(&[0x44], &[0xff, 0xff, 0xff, 0xf3, 0xfe, 0xbf]),
                coded(&[0x44], &[0xff, 0xff, 0xff, 0xf3, 0xfe, 0xff]),
            ),
        ];
        let others = [
            field(&[0x44], b"/a?b"),
            field(&[0x44], b""),
            field(&[0x46], b"#"),
            field(&[0x01], b"a#b"),
            named(b":path2", b"#"),
            named(b":pat", b"#"),
            named(b"xpath", b"#"),
            named(b"", b"#"),
            field(&[0x7f, 0x01], b"#"),
            field(&[0x0f, 0x24], b"/#"),
            vec![0x82, 0xff, 0x80, 0x23, 0x3f, 0xa3, 0x01],
            coded(&[0x44], &[0x63, 0xfe, 0xff]),
            coded(&[0x46], &[0x63, 0xfe, 0xbf]),
        ];
        found.extend(others.map(|block| (block.clone(), block)));
        found
    }

    #[test]
    fn a_fragment_is_found_in_paths_and_nowhere_else() {
        let all = blocks();
        for (before, _) in &all {
            for (block, found) in &all {
                let block = [&before[..], block].concat();
                let start = all.iter().find(|(known, _)| known == before).map(|(_, found)| found.clone()).unwrap();
                let found = [start, found.clone()].concat();
                let shapes = |block: &[u8]| {
                    let (one, two) = block.split_at(block.len() / 2);
                    let padded = [&[3], block, b"#\x44\x01"].concat();
                    let prior = [b"#\x44\x01#\x44", block].concat();
                    let both = [&[2][..], b"#\x44\x01#\x44", block, b"##"].concat();
                    [
                        frame_of(0, 0, b"\x44\x01#"),
                        frame_of(HEADERS, END_HEADERS, block),
                        frame_of(HEADERS, END_HEADERS | PADDED, &padded),
                        frame_of(HEADERS, END_HEADERS | PRIORITY, &prior),
                        frame_of(HEADERS, END_HEADERS | PADDED | PRIORITY, &both),
                        frame_of(HEADERS, 0, one),
                        frame_of(CONTINUATION, 0, &[]),
                        frame_of(CONTINUATION, END_HEADERS, two),
                        frame_of(4, 0, b"\x44\x01#\x44\x01#"),
                        frame_of(HEADERS, END_HEADERS, &[]),
                    ]
                };
                for piece in [1, 5, usize::MAX] {
                    assert_eq!(taken(&shapes(&block), piece), shapes(&found).concat(), "{block:x?} by {piece}");
                }
            }
        }
    }

    #[test]
    fn there_are_as_many_codes_of_each_length_as_the_appendix_has() {
        let of_five_to_thirty =
            [10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3, 0, 0, 0, 3, 8, 13, 26, 29, 12, 4, 15, 19, 29, 0, 4];
        let counted: Vec<u32> = WHOLE.windows(2).map(|pair| pair[1] - 2 * pair[0]).collect();
        assert_eq!(counted, [&[0; 4][..], &of_five_to_thirty].concat());
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_only_bytes(bytes: Vec<u8>, kind in 0..10u8, flags: u8, piece in 1..9usize) {
            let frames = [frame_of(kind, flags, &bytes), bytes.clone(), frame_of(HEADERS, flags, &bytes)];
            prop_assert_eq!(taken(&frames, piece), taken(&frames, usize::MAX));
        }
    }
}
