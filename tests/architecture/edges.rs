//! Which file uses what of which: through imports, paths and calls by method, in code and within macros.
//!
//! Handing a name on with `pub use` is no use of it; whoever takes it from there uses the file that defines it.
//!
//! What cannot be seen without the compiler: whose method a call is, where the receiver is not `self`. It counts where one
//! type alone of the room has a method of that name, its methods stand in several files, and the name is not one that
//! everything has (`EVERYDAY`). A type with all its methods in its own file keeps calls from hiding: what has such a value
//! has nearly always named the type. Nor is seen what a macro's definition makes of its arguments.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ExprMethodCall, ImplItem, Item, ItemImpl, ItemMod, ItemTrait, ItemUse, Macro, TraitItem, Visibility};

use crate::names::{Defined, Names, Target, below, leaves};
use crate::source::{Source, made_up};

/// Names of methods that the standard library's types have as well: a call of one says nothing of its receiver.
const EVERYDAY: [&str; 24] = [
    "accept", "bind", "clone", "end", "find", "get", "insert", "is_empty", "is_none", "iter", "join", "keys", "len",
    "next", "now", "parse", "poll", "push", "read", "remove", "send", "status", "take", "write",
];

/// What one file uses of another: the line where it does first, and the name.
pub type Edges = BTreeMap<(usize, usize), (usize, String)>;

/// The files that have functions of a type, by the function's name: its `impl` blocks, or the trait itself.
#[derive(Default)]
pub struct Methods {
    of: BTreeMap<Defined, BTreeMap<String, BTreeSet<usize>>>,
}

impl Methods {
    pub fn new(sources: &[Source], names: &Names) -> Self {
        let mut methods = Self::default();
        for (file, source) in sources.iter().enumerate() {
            let module = source.module();
            for item in &source.items {
                match item {
                    Item::Impl(block) if block.trait_.is_none() => {
                        let Some(of) = self_type(block, names, &module) else { continue };
                        methods.add(&of, file, block.items.iter().filter_map(name_of_function));
                    }
                    Item::Trait(of) => {
                        let of_trait = Defined { file, name: of.ident.to_string() };
                        methods.add(&of_trait, file, of.items.iter().filter_map(name_in_trait));
                    }
                    _ => {}
                }
            }
        }
        methods
    }

    fn add(&mut self, of: &Defined, file: usize, names: impl Iterator<Item = String>) {
        let methods = self.of.entry(of.clone()).or_default();
        names.for_each(|name| {
            methods.entry(name).or_default().insert(file);
        });
    }

    /// The files that have the function `name` of that type.
    fn of(&self, of: &Defined, name: &str) -> BTreeSet<usize> {
        self.of.get(of).and_then(|methods| methods.get(name)).cloned().unwrap_or_default()
    }

    /// The one file of the room that has a method of that name, if its type is spread over several.
    fn alone(&self, name: &str, in_room: impl Fn(&usize) -> bool) -> Option<usize> {
        if EVERYDAY.contains(&name) {
            return None;
        }
        let has = |methods: &&BTreeMap<String, BTreeSet<usize>>| {
            methods.get(name).is_some_and(|files| files.iter().any(&in_room))
        };
        let [methods] = self.of.values().filter(has).collect::<Vec<_>>()[..] else { return None };
        let spread = methods.values().flatten().collect::<BTreeSet<_>>().len() > 1;
        let mut files = methods[name].iter();
        files.next().filter(|_| spread && files.next().is_none()).copied()
    }
}

/// Every edge between two files of the crate.
pub fn edges(sources: &[Source]) -> Edges {
    let names = Names::new(sources);
    let methods = Methods::new(sources, &names);
    let mut found = Edges::new();
    for (file, source) in sources.iter().enumerate() {
        let mut reader = Reader {
            sources,
            names: &names,
            methods: &methods,
            file,
            module: source.module(),
            within: None,
            found: &mut found,
        };
        source.items.iter().for_each(|item| reader.visit_item(item));
    }
    found
}

/// The type of this crate that an `impl` block is for, borrowed or not.
pub fn self_type(block: &ItemImpl, names: &Names, module: &str) -> Option<Defined> {
    type_named(&block.self_ty, names, module)
}

/// The type or trait of this crate that a type names.
pub fn type_named(named: &syn::Type, names: &Names, module: &str) -> Option<Defined> {
    let path = match named {
        syn::Type::Path(path) => &path.path,
        syn::Type::Reference(reference) => return type_named(&reference.elem, names, module),
        syn::Type::Paren(inner) => return type_named(&inner.elem, names, module),
        syn::Type::Group(inner) => return type_named(&inner.elem, names, module),
        syn::Type::TraitObject(object) => {
            return object.bounds.iter().find_map(|bound| match bound {
                syn::TypeParamBound::Trait(bound) => path_named(&bound.path, names, module),
                _ => None,
            });
        }
        _ => return None,
    };
    path_named(path, names, module)
}

/// The item of this crate that a path names.
pub fn path_named(path: &syn::Path, names: &Names, module: &str) -> Option<Defined> {
    match names.resolve(module, &segments(path)) {
        Some(Target::Item(item, _)) => Some(item),
        _ => None,
    }
}

fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

fn name_of_function(item: &ImplItem) -> Option<String> {
    match item {
        ImplItem::Fn(function) => Some(function.sig.ident.to_string()),
        _ => None,
    }
}

fn name_in_trait(item: &TraitItem) -> Option<String> {
    match item {
        TraitItem::Fn(function) => Some(function.sig.ident.to_string()),
        _ => None,
    }
}

struct Reader<'a> {
    sources: &'a [Source],
    names: &'a Names,
    methods: &'a Methods,
    file: usize,
    module: String,
    /// The type or trait whose functions are being read.
    within: Option<Defined>,
    found: &'a mut Edges,
}

impl Reader<'_> {
    fn add(&mut self, to: usize, line: usize, name: &str) {
        if to != self.file {
            self.found.entry((self.file, to)).or_insert_with(|| (line, name.to_owned()));
        }
    }

    fn path(&mut self, path: &[String], line: usize) {
        let (item, rest) = match path.split_first() {
            Some((first, rest)) if first == "Self" => (self.within.clone(), rest.to_vec()),
            _ => match self.names.resolve(&self.module, path) {
                Some(Target::Item(item, rest)) => (Some(item), rest),
                _ => (None, Vec::new()),
            },
        };
        let Some(item) = item else { return };
        if path[0] != "Self" {
            self.add(item.file, line, &item.name);
        }
        if let Some(function) = rest.first() {
            for file in self.methods.of(&item, function) {
                self.add(file, line, function);
            }
        }
    }

    fn call(&mut self, method: &str, by_self: bool, line: usize) {
        let own = match &self.within {
            Some(of) if by_self => self.methods.of(of, method),
            _ => BTreeSet::new(),
        };
        let room = self.sources[self.file].room();
        let found = if own.is_empty() {
            self.methods.alone(method, |file| self.sources[*file].room() == room).into_iter().collect()
        } else {
            own
        };
        for file in found {
            self.add(file, line, method);
        }
    }

    /// Paths and calls by method among the tokens of a macro.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: usize, wanted: char| matches!(tokens.get(at), Some(TokenTree::Punct(found)) if found.as_char() == wanted);
        let word = |at: usize| match tokens.get(at) {
            Some(TokenTree::Ident(word)) => Some(word.to_string()),
            _ => None,
        };
        let mut at = 0;
        while at < tokens.len() {
            if let TokenTree::Group(group) = &tokens[at] {
                self.tokens(group.stream());
            }
            let line = tokens[at].span().start().line;
            let Some(first) = word(at) else {
                at += 1;
                continue;
            };
            if at > 0 && is(at - 1, '.') {
                if matches!(tokens.get(at + 1), Some(TokenTree::Group(_))) {
                    let by_self =
                        at > 1 && word(at - 2).is_some_and(|word| word == "self") && !(at > 2 && is(at - 3, '.'));
                    self.call(&first, by_self, line);
                }
                at += 1;
                continue;
            }
            let mut path = vec![first];
            at += 1;
            while is(at, ':') && is(at + 1, ':') {
                let Some(next) = word(at + 2) else { break };
                path.push(next);
                at += 3;
            }
            self.path(&path, line);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        if !matches!(import.vis, Visibility::Inherited) {
            return;
        }
        for leaf in leaves(import) {
            self.path(&leaf.path, leaf.line);
        }
    }

    fn visit_item_mod(&mut self, inner: &'ast ItemMod) {
        let module = below(&self.module, &inner.ident.to_string());
        let outer = std::mem::replace(&mut self.module, module);
        visit::visit_item_mod(self, inner);
        self.module = outer;
    }

    fn visit_item_impl(&mut self, block: &'ast ItemImpl) {
        let outer = std::mem::replace(&mut self.within, self_type(block, self.names, &self.module));
        visit::visit_item_impl(self, block);
        self.within = outer;
    }

    fn visit_item_trait(&mut self, of: &'ast ItemTrait) {
        let defined = Defined { file: self.file, name: of.ident.to_string() };
        let outer = self.within.replace(defined);
        visit::visit_item_trait(self, of);
        self.within = outer;
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(first) = path.segments.first() {
            self.path(&segments(path), first.ident.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let by_self = matches!(&*call.receiver, syn::Expr::Path(path) if path.path.is_ident("self"));
        self.call(&call.method.to_string(), by_self, call.method.span().start().line);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        self.tokens(called.tokens.clone());
    }
}

/// The edges of a made-up crate as text, such as `a.rs -> b.rs: Name`.
#[cfg(test)]
fn told<const N: usize>(files: [(&str, &str); N]) -> Vec<String> {
    let sources = made_up(files);
    let all = edges(&sources);
    all.iter()
        .map(|((from, to), (_, name))| format!("{} -> {}: {name}", sources[*from].path, sources[*to].path))
        .collect()
}

#[test]
fn imports_between_a_module_and_its_children_count_both_ways() {
    let up = told([("r/mod.rs", "mod child; pub struct X;"), ("r/child.rs", "use super::X; fn f(_: X) {}")]);
    assert_eq!(up, ["r/child.rs -> r/mod.rs: X"]);
    let down = told([("r/mod.rs", "mod child; use child::f;"), ("r/child.rs", "pub fn f() {}")]);
    assert_eq!(down, ["r/mod.rs -> r/child.rs: f"]);
    let written_out = told([("r/mod.rs", "mod child; fn g() { self::child::f() }"), ("r/child.rs", "pub fn f() {}")]);
    assert_eq!(written_out, ["r/mod.rs -> r/child.rs: f"]);
    let through_the_crate = told([
        ("lib.rs", "mod r;"),
        ("r/mod.rs", "mod child; pub const X: u8 = 1;"),
        ("r/child.rs", "fn f() -> u8 { crate::r::X }"),
    ]);
    assert_eq!(through_the_crate, ["r/child.rs -> r/mod.rs: X"]);
}

#[test]
fn a_name_that_is_handed_on_leads_to_the_file_that_defines_it() {
    let found = told([
        ("r/mod.rs", "mod one; mod other; pub use one::X; pub(crate) use other::Y;"),
        ("r/one.rs", "pub struct X;"),
        ("r/other.rs", "use super::X; pub struct Y(X);"),
    ]);
    assert_eq!(found, ["r/other.rs -> r/one.rs: X"]);
    let used_too = told([("r/mod.rs", "mod one; pub use one::X; pub fn f(_: X) {}"), ("r/one.rs", "pub struct X;")]);
    assert_eq!(used_too, ["r/mod.rs -> r/one.rs: X"]);
}

#[test]
fn a_call_by_method_leads_to_the_file_that_has_it() {
    let leads = |call: &str| {
        let steps = "use super::X; impl X { pub fn step(&self) {} pub fn twice() {} }";
        let found = told([("r/mod.rs", "mod a; mod b; pub struct X;"), ("r/a.rs", call), ("r/b.rs", steps)]);
        found.contains(&"r/a.rs -> r/b.rs: step".to_owned())
    };
    assert!(leads("use super::X; impl X { fn f(&self) { self.step() } }"), "by self");
    assert!(leads("use super::X; impl X { fn f(&self) { format!(\"{}\", self.step()) } }"), "in a macro");
    assert!(leads("use super::X; impl X { fn f(&self) { Self::step(self) } }"), "by the type");
    assert!(leads("use super::X; fn f(x: X) { X::step(&x) }"), "by the type's name");
    let spread = told([
        ("r/mod.rs", "mod a; mod b; pub struct X; impl X { fn own(&self) {} }"),
        ("r/a.rs", "fn f(x: super::X) { x.step() }"),
        ("r/b.rs", "impl super::X { pub fn step(&self) {} }"),
    ]);
    assert!(spread.contains(&"r/a.rs -> r/b.rs: step".to_owned()), "by a value of a type that is spread");
    assert!(!leads("fn f(x: Foreign) { x.other() }"), "another method");
    let everyday = told([
        ("r/mod.rs", "mod a; mod b; pub struct X; impl X { fn own(&self) {} }"),
        ("r/a.rs", "fn f(x: &str) { x.find('a') }"),
        ("r/b.rs", "impl super::X { pub fn find(&self) {} }"),
    ]);
    assert_eq!(everyday, ["r/b.rs -> r/mod.rs: X"]);
}

#[test]
fn macros_are_read_and_tests_are_not() {
    let files = |text| [("r/mod.rs", "mod a; mod b;"), ("r/a.rs", text), ("r/b.rs", "pub const X: u8 = 1;")];
    assert_eq!(told(files("fn f() { log!(what = super::b::X, { g(super::b::X) }) }")), ["r/a.rs -> r/b.rs: X"]);
    assert_eq!(told(files("#[cfg(test)] mod tests { use super::super::b::X; }")), [""; 0]);
}
