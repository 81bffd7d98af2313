//! What of a request's line may be of any length, fitted into a terminal.

/// The least that is left of what was asked, where a line is too long.
const LEAST_TARGET: usize = 20;
/// What short ones are filled up to, so that the columns stand below each other.
pub(super) const TARGET: usize = 28;
pub(super) const HAPPENED: usize = 18;

/// What of a line may be of any length on a terminal, and up to which width the first two are filled up. Nothing in it moves a
/// cursor.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) target: String,
    pub(super) happened: String,
    pub(super) by: String,
    pub(super) widths: (usize, usize),
    /// What of what went wrong stands in lines of its own.
    pub(super) below: String,
}

impl Shown {
    /// How wide it is with what stands in between.
    pub(super) fn width(&self) -> usize {
        width(&self.target).max(self.widths.0) + width(&self.happened).max(self.widths.1) + 2 + width(&self.by)
    }

    /// As much of it as so many columns hold. What the columns are filled up with goes first, then the midst of what was
    /// asked; what went wrong never does, but goes on below.
    pub(super) fn within(mut self, room: usize, is_wrong: bool) -> Self {
        let by = width(&self.by) + 2;
        if width(&self.target).max(TARGET) + width(&self.happened).max(HAPPENED) + by <= room {
            return self;
        }
        self.widths = (0, 0);
        let left = room.saturating_sub(width(&self.happened) + by);
        let from = width(&self.target) / 3;
        shorten(&mut self.target, left.max(LEAST_TARGET), from);
        if is_wrong {
            let left = room.saturating_sub(width(&self.target) + HAPPENED + 2);
            shorten(&mut self.by, left.max(1), usize::MAX);
            let left = room.saturating_sub(width(&self.target) + width(&self.by) + 2);
            self.below = split_off(&mut self.happened, left.max(1));
        } else {
            let left = room.saturating_sub(width(&self.target) + by);
            shorten(&mut self.happened, left.max(HAPPENED), usize::MAX);
            let left = room.saturating_sub(width(&self.target) + width(&self.happened) + 2);
            shorten(&mut self.by, left.max(1), usize::MAX);
        }
        self
    }
}

/// In characters.
pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}

/// Takes out as much as is too much, from this character on, or from the end where that is further.
pub(super) fn shorten(text: &mut String, room: usize, from: usize) {
    let all = width(text);
    if all <= room {
        return;
    }
    let head = from.min(room.saturating_sub(1));
    let tail = room.saturating_sub(1) - head;
    let mut short: String = text.chars().take(head).collect();
    short.push('\u{2026}');
    short.extend(text.chars().skip(all - tail));
    *text = short;
}

/// Takes off what is more than so many columns, from a blank on where there is one in the second half.
pub(super) fn split_off(text: &mut String, room: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(room) else { return String::new() };
    let blank = text.get(..end).and_then(|fits| fits.rfind(' ')).filter(|at| *at > end / 2);
    let rest = text.split_off(blank.unwrap_or(end));
    rest.trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_taken_off_at_a_blank_where_there_is_one() {
        for (text, room, first, rest) in [
            ("one two three", 20, "one two three", ""),
            ("one two three", 9, "one two", "three"),
            ("one two three", 2, "on", "e two three"),
            ("a bcdefghij", 8, "a bcdefg", "hij"),
            ("\u{e9}\u{e9}\u{e9}\u{e9}", 3, "\u{e9}\u{e9}\u{e9}", "\u{e9}"),
        ] {
            let mut text = text.to_owned();
            let below = split_off(&mut text, room);
            assert_eq!((text.as_str(), below.as_str()), (first, rest));
        }
    }
}
