//! Path variables as other tools write them: read as literals they would match nothing and nobody would notice.

use super::variable::check_name;

/// What to write instead of this segment of a pattern; `None` for one that means itself.
pub(super) fn instead(segment: &str) -> Option<String> {
    if segment == "*" || segment == "**" {
        return Some("{*rest}".to_owned());
    }
    if let Some(name) = segment.strip_prefix(':') {
        return is_name(name).then(|| format!("{{{name}}}"));
    }
    let (_, bracketed) = segment.split_once('<')?;
    let (inner, _) = bracketed.split_once('>')?;
    match inner.rsplit_once(':') {
        Some(("path", name)) if is_name(name) => Some(format!("{{*{name}}}")),
        Some((_, name)) if is_name(name) => Some(format!("{{{name}}}")),
        None if is_name(inner) => Some(format!("{{{inner}}}")),
        _ => Some("{id}".to_owned()),
    }
}

fn is_name(text: &str) -> bool {
    check_name(text, 0).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::PathPattern;

    #[test]
    fn the_error_says_how_it_is_written_here() {
        for (path, at, write) in [
            ("/fruit/:id", 7, "{id}"),
            ("/fruit/<id>", 7, "{id}"),
            ("/fruit/<int:fruit_id>/x", 7, "{fruit_id}"),
            ("/static/<path:rest>", 8, "{*rest}"),
            ("/static/*", 8, "{*rest}"),
        ] {
            let error = PathPattern::parse(path).unwrap_err();
            assert_eq!(error.at, at, "{path}");
            assert!(error.message.ends_with(&format!("write {write}")), "{path}: {}", error.message);
        }
    }

    #[test]
    fn a_colon_or_star_within_a_segment_means_itself() {
        for path in ["/v1/orders:cancel", "/a*b", "/@x:y", "/:"] {
            assert!(PathPattern::parse(path).is_ok(), "{path}");
        }
    }
}
