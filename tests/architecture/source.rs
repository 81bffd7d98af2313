//! The source files of the crate, read once: their text, their syntax, and the module that each one is.

use std::fs;
use std::path::Path;

use syn::{Attribute, ImplItem, Item};

/// A file below `src`.
pub struct Source {
    /// Its path below `src`, such as `proxy/ingress/host.rs`.
    pub path: String,
    pub text: String,
    /// What it defines, without its unit tests.
    pub items: Vec<Item>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("src/{path}: {error}"));
        Self { path: path.to_owned(), text: text.to_owned(), items: without_tests(syntax.items) }
    }

    /// `proxy` of `proxy/ingress/host.rs`, `clock` of `clock.rs`.
    pub fn room(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap()
    }

    /// `proxy::ingress::host` of `proxy/ingress/host.rs`, `proxy` of `proxy/mod.rs`, and nothing of `lib.rs`.
    pub fn module(&self) -> String {
        let path = self.path.strip_suffix(".rs").unwrap();
        let path = path.strip_suffix("/mod").unwrap_or(path);
        if path == "lib" { String::new() } else { path.replace('/', "::") }
    }

    /// Where its children stand: `proxy/` of `proxy/mod.rs`, `proxy/coding/` of `proxy/coding.rs`.
    pub fn folder(&self) -> String {
        let path = self.path.strip_suffix("mod.rs").map(str::to_owned);
        path.unwrap_or_else(|| format!("{}/", self.path.strip_suffix(".rs").unwrap()))
    }

    /// The lines of code, numbered from 1, without comments.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Every source file of the crate, by path.
pub fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    found.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(found.len() > 50, "only {} files were found", found.len());
    found
}

fn collect(folder: &Path, root: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, root, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push(Source::new(path.strip_prefix(root).unwrap().to_str().unwrap(), &text));
        }
    }
}

/// The files of a small crate that a test makes up.
pub fn made_up<const N: usize>(files: [(&str, &str); N]) -> Vec<Source> {
    files.into_iter().map(|(path, text)| Source::new(path, text)).collect()
}

fn without_tests(items: Vec<Item>) -> Vec<Item> {
    let kept = items.into_iter().filter(|item| !attributes(item).iter().any(is_for_tests));
    kept.map(|mut item| {
        match &mut item {
            Item::Impl(block) => block.items.retain(|item| match item {
                ImplItem::Fn(function) => !function.attrs.iter().any(is_for_tests),
                _ => true,
            }),
            Item::Mod(module) => {
                if let Some((_, items)) = &mut module.content {
                    *items = without_tests(std::mem::take(items));
                }
            }
            _ => {}
        }
        item
    })
    .collect()
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
}

#[test]
fn a_file_knows_its_module_and_its_folder() {
    let of = |path| {
        let source = Source::new(path, "");
        (source.room().to_owned(), source.module(), source.folder())
    };
    let three = |room: &str, module: &str, folder: &str| (room.to_owned(), module.to_owned(), folder.to_owned());
    assert_eq!(of("proxy/mod.rs"), three("proxy", "proxy", "proxy/"));
    assert_eq!(of("proxy/ingress/host.rs"), three("proxy", "proxy::ingress::host", "proxy/ingress/host/"));
    assert_eq!(of("clock.rs"), three("clock", "clock", "clock/"));
    assert_eq!(of("lib.rs").1, "");
}

#[test]
fn unit_tests_are_left_out() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() {} }\n#[cfg(fuzzing)]\nmod fuzzing;\n\
                impl X { fn c() {}\n#[cfg(test)]\nfn d() {} }";
    let source = Source::new("a.rs", text);
    assert_eq!(source.items.len(), 3);
    let Item::Impl(block) = &source.items[2] else { panic!("no impl") };
    assert_eq!(block.items.len(), 1);
}
