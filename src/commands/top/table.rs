//! Lines and tables of no more than so many columns.

/// A row: numbers stand to the right, texts to the left and are cut off where there is no room.
pub(super) struct Row {
    pub(super) numbers: Vec<String>,
    pub(super) texts: Vec<String>,
}

/// Between two cells.
const GAP: usize = 2;
/// A text is not made shorter than that.
const LEAST: usize = 6;
/// Where what is told begins, behind its label.
const INDENT: usize = 10;

/// The text as far as there is room for it.
pub(super) fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['\u{2026}']).collect()
}

/// Pieces behind their label, in as many lines as they need.
pub(super) fn wrapped(label: &str, pieces: &[String], columns: usize) -> Vec<String> {
    let room = columns.saturating_sub(INDENT);
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        match lines.last_mut() {
            Some(line) if line.chars().count() + GAP + piece.chars().count() <= room => {
                line.push_str(", ");
                line.push_str(piece);
            }
            _ => lines.push(piece.clone()),
        }
    }
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    lines.iter().zip(labels).map(|(line, label)| cut(&format!("{label:<INDENT$}{line}"), columns)).collect()
}

/// Rows under one another, each cell below the one above it. The widest text gives way first.
pub(super) fn table(rows: &[Row], columns: usize) -> Vec<String> {
    let (numbers, mut texts) = (widths(rows, |row| &row.numbers), widths(rows, |row| &row.texts));
    let taken: usize = numbers.iter().map(|width| width + GAP).sum();
    while taken + texts.iter().map(|width| width + GAP).sum::<usize>() > columns + GAP {
        match texts.iter_mut().max() {
            Some(widest) if *widest > LEAST => *widest -= 1,
            _ => break,
        }
    }
    rows.iter().map(|row| cut(line(row, &numbers, &texts).trim_end(), columns)).collect()
}

fn widths(rows: &[Row], of: impl Fn(&Row) -> &Vec<String>) -> Vec<usize> {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (index, cell) in of(row).iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(index) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    widths
}

fn line(row: &Row, numbers: &[usize], texts: &[usize]) -> String {
    let numbers = row.numbers.iter().zip(numbers).map(|(cell, width)| format!("{cell:>width$}"));
    let texts = row.texts.iter().zip(texts).map(|(cell, width)| {
        let cell = cut(cell, *width);
        format!("{cell:<width$}")
    });
    numbers.chain(texts).collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: &str, texts: [&str; 2]) -> Row {
        Row { numbers: vec![number.to_owned()], texts: texts.map(str::to_owned).to_vec() }
    }

    #[test]
    fn cells_stand_below_one_another_and_give_way() {
        let rows = [row("N", ["WRITE", "BY"]), row("12", ["PUT /a", "default"]), row("3", ["POST /a/long/path", "x"])];
        assert_eq!(
            table(&rows, 80),
            [" N  WRITE              BY", "12  PUT /a             default", " 3  POST /a/long/path  x"]
        );
        let narrow = table(&rows, 20);
        assert_eq!(narrow, [" N  WRITE    BY", "12  PUT /a   default", " 3  POST /\u{2026}  x"]);
    }

    #[test]
    fn what_does_not_fit_goes_on_below() {
        let pieces = ["12.0/s", "from the store 97 % now", "96 % since the start"].map(str::to_owned);
        assert_eq!(
            wrapped("requests", &pieces, 80),
            ["requests  12.0/s, from the store 97 % now, 96 % since the start"]
        );
        let narrow = wrapped("requests", &pieces, 40);
        assert_eq!(narrow, ["requests  12.0/s", "          from the store 97 % now", "          96 % since the start"]);
        assert_eq!(cut("abcdef", 4), "abc\u{2026}");
    }
}
