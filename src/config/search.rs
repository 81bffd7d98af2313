//! Which file is the configuration: the one that is named, or the first that is there.

use std::path::{Path, PathBuf};

use super::findings::Problem;
use super::outside::named_file;

/// Looked for in the folder where the program is started.
pub(super) const FOLDER_FILE: &str = "proxy.toml";
/// Looked for last.
const SYSTEM_FILE: &str = "/etc/aside/proxy.toml";

/// The file; `None` where none is named and none is there. One that is named need not be there.
pub(super) fn file(named: Option<&Path>) -> Option<PathBuf> {
    named.map(Path::to_owned).or_else(named_file).or_else(|| there([FOLDER_FILE, SYSTEM_FILE]))
}

fn there(places: [&str; 2]) -> Option<PathBuf> {
    places.into_iter().map(PathBuf::from).find(|path| path.exists())
}

/// What is told where there is none.
pub(super) fn nothing_found() -> Problem {
    Problem::new(
        format!(
            "no configuration was found: neither ./{FOLDER_FILE} nor {SYSTEM_FILE} is there, and ASIDE_CONFIG names none"
        ),
        "name a file, as in --config proxy.toml, or use none: aside serve --no-config --origin URL",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_file_comes_first_and_need_not_be_there() {
        assert_eq!(file(Some(Path::new("/nowhere/a.toml"))), Some("/nowhere/a.toml".into()));
    }

    #[test]
    fn the_first_that_is_there_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["a", "b"].map(|name| folder.path().join(name).display().to_string());
        assert_eq!(there([&first, &second]), None);
        std::fs::write(&second, "").unwrap();
        assert_eq!(there([&first, &second]), Some(PathBuf::from(&second)));
        std::fs::write(&first, "").unwrap();
        assert_eq!(there([&first, &second]), Some(PathBuf::from(&first)));
    }
}
