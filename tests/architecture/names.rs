//! Which file defines what a path names: through imports, and through modules that hand names on with `pub use`.

use std::collections::BTreeMap;

use syn::{Item, ItemUse, UseTree};

use crate::source::{Source, made_up};

/// An item of the crate: the file that defines it, and its name there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Defined {
    pub file: usize,
    pub name: String,
}

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    /// An item, and what follows it in the path, such as a function of a type.
    Item(Defined, Vec<String>),
    Module,
}

enum Binding {
    Item(usize),
    Import(Vec<String>),
}

/// What each module of the crate calls by which name.
#[derive(Default)]
pub struct Names {
    scopes: BTreeMap<String, Scope>,
}

#[derive(Default)]
struct Scope {
    bindings: BTreeMap<String, Binding>,
    /// Its children, apart: a function may have the name of one.
    modules: BTreeMap<String, String>,
    globs: Vec<Vec<String>>,
}

impl Names {
    pub fn new(sources: &[Source]) -> Self {
        let mut names = Self::default();
        for (file, source) in sources.iter().enumerate() {
            names.add(file, &source.module(), &source.items);
        }
        names
    }

    fn add(&mut self, file: usize, module: &str, items: &[Item]) {
        self.scopes.entry(module.to_owned()).or_default();
        for item in items {
            if let Item::Mod(inner) = item
                && let Some((_, items)) = &inner.content
            {
                self.add(file, &below(module, &inner.ident.to_string()), items);
            }
            let scope = self.scopes.get_mut(module).unwrap();
            match item {
                Item::Use(import) => {
                    for leaf in leaves(import) {
                        if leaf.name == "*" {
                            scope.globs.push(leaf.path);
                        } else if leaf.name != "_" {
                            scope.bindings.insert(leaf.name, Binding::Import(leaf.path));
                        }
                    }
                }
                Item::Mod(inner) => {
                    let name = inner.ident.to_string();
                    scope.modules.insert(name.clone(), below(module, &name));
                }
                _ => {
                    if let Some(name) = name_of(item) {
                        scope.bindings.insert(name, Binding::Item(file));
                    }
                }
            }
        }
    }

    /// What `path` leads to when it stands in `module`; nothing if it leads out of the crate.
    pub fn resolve(&self, module: &str, path: &[String]) -> Option<Target> {
        self.follow(module, path, 0)
    }

    fn follow(&self, module: &str, path: &[String], depth: usize) -> Option<Target> {
        if depth > 32 {
            return None; // An import that names itself, such as `use url::Url` beside a name `url`.
        }
        let Some((first, rest)) = path.split_first() else { return Some(Target::Module) };
        match first.as_str() {
            "crate" => return self.follow("", rest, depth),
            "self" => return self.follow(module, rest, depth),
            "super" => return self.follow(module.rsplit_once("::").map_or("", |(above, _)| above), rest, depth),
            _ => {}
        }
        let scope = self.scopes.get(module)?;
        let binding = scope.bindings.get(first);
        if let Some(inner) = scope.modules.get(first)
            && (binding.is_none() || !rest.is_empty())
        {
            return self.follow(inner, rest, depth + 1);
        }
        match binding {
            Some(Binding::Item(file)) => {
                Some(Target::Item(Defined { file: *file, name: first.clone() }, rest.to_vec()))
            }
            Some(Binding::Import(path)) => self.follow(module, &[path.as_slice(), rest].concat(), depth + 1),
            None => {
                let through = |glob: &Vec<String>| self.follow(module, &[glob, path].concat(), depth + 1);
                scope.globs.iter().filter(|glob| glob.first() != Some(first)).find_map(through)
            }
        }
    }
}

/// A module below another, the root's name being empty.
pub fn below(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Macro(item) => return made_by(item),
        _ => return None,
    };
    Some(name.to_string())
}

/// The type that a macro defines, as in `details! { pub enum Detail { … } }`.
fn made_by(item: &syn::ItemMacro) -> Option<String> {
    let words: Vec<_> = item.mac.tokens.clone().into_iter().map(|token| token.to_string()).collect();
    let at = words.iter().position(|word| word == "enum" || word == "struct")?;
    words.get(at + 1).cloned()
}

/// One name that an import brings in: the path that it leads to, and the name by which it is known; `*` for all of a
/// module, `_` for a trait's methods alone.
pub struct Leaf {
    pub path: Vec<String>,
    pub name: String,
    pub line: usize,
}

pub fn leaves(import: &ItemUse) -> Vec<Leaf> {
    let mut found = Vec::new();
    add_leaves(&import.tree, &[], &mut found);
    found
}

fn add_leaves(tree: &UseTree, before: &[String], found: &mut Vec<Leaf>) {
    let with = |name: String| if name == "self" { before.to_vec() } else { [before, &[name]].concat() };
    match tree {
        UseTree::Path(path) => add_leaves(&path.tree, &[before, &[path.ident.to_string()]].concat(), found),
        UseTree::Group(group) => group.items.iter().for_each(|tree| add_leaves(tree, before, found)),
        UseTree::Name(name) => {
            let path = with(name.ident.to_string());
            let known = path.last().cloned().unwrap_or_default();
            found.push(Leaf { name: known, path, line: name.ident.span().start().line });
        }
        UseTree::Rename(name) => {
            let path = with(name.ident.to_string());
            found.push(Leaf { path, name: name.rename.to_string(), line: name.ident.span().start().line });
        }
        UseTree::Glob(glob) => {
            let line = glob.star_token.spans[0].start().line;
            found.push(Leaf { path: before.to_vec(), name: "*".to_owned(), line });
        }
    }
}

#[test]
fn a_path_leads_to_the_file_that_defines_the_name() {
    let sources = made_up([
        ("lib.rs", "pub mod room; pub mod below;"),
        (
            "room/mod.rs",
            "mod child; pub use child::{Thing, Other as Another}; pub const HERE: u8 = 1; use bytes::Bytes; fn child() {}",
        ),
        ("room/child.rs", "use super::HERE; use crate::below::*; pub struct Thing; pub struct Other;"),
        ("below.rs", "mod inner { pub fn deep() {} } pub enum Kind { One }"),
    ]);
    let names = Names::new(&sources);
    let found = |module: &str, path: &str| {
        let path: Vec<String> = path.split("::").map(str::to_owned).collect();
        match names.resolve(module, &path) {
            Some(Target::Item(item, rest)) => {
                format!("{} {} {}", sources[item.file].path, item.name, rest.join("::")).trim().to_owned()
            }
            Some(Target::Module) => "module".to_owned(),
            None => "foreign".to_owned(),
        }
    };
    assert_eq!(found("below", "crate::room::Thing::new"), "room/child.rs Thing new");
    assert_eq!(found("below", "crate::room::Another"), "room/child.rs Other");
    assert_eq!(found("room", "Thing"), "room/child.rs Thing");
    assert_eq!(found("room", "child"), "room/mod.rs child");
    assert_eq!(found("room", "child::Thing"), "room/child.rs Thing");
    assert_eq!(found("below", "inner"), "module");
    assert_eq!(found("room::child", "super::HERE"), "room/mod.rs HERE");
    assert_eq!(found("room::child", "HERE"), "room/mod.rs HERE");
    assert_eq!(found("room::child", "Kind::One"), "below.rs Kind One");
    assert_eq!(found("room::child", "crate::below::inner::deep"), "below.rs deep");
    assert_eq!(found("room", "Bytes"), "foreign");
    assert_eq!(found("room", "self::child::Thing"), "room/child.rs Thing");
}

#[test]
fn a_macro_defines_the_type_that_stands_in_it() {
    let sources = made_up([("lib.rs", "mod a;"), ("a.rs", "details! { /// What. \n pub enum Detail { One } }")]);
    let found = Names::new(&sources).resolve("a", &["Detail".to_owned()]);
    assert_eq!(found, Some(Target::Item(Defined { file: 1, name: "Detail".to_owned() }, Vec::new())));
}
