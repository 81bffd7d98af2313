//! What `[verify]` says: how many hits are compared with the origin's answer of now, and what of an answer does not count.

/// The `[verify]` table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VerifySettings {
    /// The share of hits that are fetched again and compared: 0.0 to 1.0.
    pub sample: f64,
    /// Nothing is served from the store: each would-be hit is fetched and compared.
    pub shadow: bool,
    /// What of a JSON answer does not count.
    pub ignored: Ignored,
    /// How many comparisons may be under way at once, over all cores; further ones are left out.
    pub at_once: usize,
}

impl VerifySettings {
    /// Whether anything is compared at all.
    pub fn is_on(&self) -> bool {
        self.shadow || self.sample > 0.0
    }

    /// How much is compared, in one word: `off`, `sample` or `shadow`.
    pub fn mode(&self) -> &'static str {
        match self {
            Self { shadow: true, .. } => "shadow",
            settings if settings.is_on() => "sample",
            _ => "off",
        }
    }
}

/// Places of JSON answers that do not count in a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignored(Vec<Place>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// Every member of this name, however deep.
    Anywhere(String),
    /// What stands at the end of these steps; `None` is every member.
    At(Vec<Option<String>>),
}

impl Ignored {
    /// Reads names (`served_at`) and pointers (`/meta/took`, `/items/*/views`); the text that is neither is the error.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, &'t str> {
        texts.into_iter().map(|text| place(text).ok_or(text)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether everything counts.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether what stands there does not count; `steps` lead to it, with `*` for a place in a list.
    pub(super) fn has(&self, steps: &[&str]) -> bool {
        self.0.iter().any(|place| match place {
            Place::Anywhere(name) => steps.last().is_some_and(|last| last == name),
            Place::At(wanted) => {
                wanted.len() == steps.len()
                    && wanted.iter().zip(steps).all(|(wanted, step)| wanted.as_ref().is_none_or(|name| name == step))
            }
        })
    }
}

fn place(text: &str) -> Option<Place> {
    let Some(pointer) = text.strip_prefix('/') else {
        return (!text.is_empty() && !text.contains('/')).then(|| Place::Anywhere(text.to_owned()));
    };
    let step = |step: &str| match step {
        "" => None,
        "*" => Some(None),
        name => Some(Some(name.replace("~1", "/").replace("~0", "~"))),
    };
    pointer.split('/').map(step).collect::<Option<_>>().map(Place::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_everywhere_and_a_pointer_in_one_place() {
        let ignored = Ignored::parse(["served_at", "/meta/took", "/items/*/views", "/a~1b"]).unwrap();
        for steps in [
            &["served_at"][..],
            &["a", "served_at"],
            &["meta", "took"],
            &["items", "*", "views"],
            &["items", "x", "views"],
            &["a/b"],
        ] {
            assert!(ignored.has(steps), "{steps:?}");
        }
        for steps in [&["took"][..], &["meta"], &["meta", "took", "x"], &["x", "items", "*", "views"], &[]] {
            assert!(!ignored.has(steps), "{steps:?}");
        }
        assert_eq!(Ignored::parse(["a", "", "b"]), Err(""));
        assert_eq!(Ignored::parse(["a/b"]), Err("a/b"));
        assert_eq!(Ignored::parse(["/"]), Err("/"));
    }
}
