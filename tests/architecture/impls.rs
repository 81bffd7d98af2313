//! Where an `impl` may stand: in the file of its type or in that file's folder, so that a call by method leads there.
//!
//! A trait of a room above its type cannot be named there: such an `impl` stands with the trait, or, where it has no functions
//! and so hides no call, anywhere in the trait's room, as a table's words do beside the table.

use syn::spanned::Spanned;
use syn::{GenericArgument, ImplItem, Item, ItemImpl, PathArguments};

use crate::edges::{path_named, self_type, type_named};
use crate::names::{Defined, Names};
use crate::source::{Source, made_up};

/// The `impl` blocks that stand elsewhere, each with its line, its type, and the file where it belongs. `may_name` says
/// whether a room may name another: a trait's room that the type's may not name keeps the `impl` with the trait.
pub fn misplaced(sources: &[Source], may_name: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let names = Names::new(sources);
    let mut found = Vec::new();
    for source in sources {
        for item in &source.items {
            let Item::Impl(block) = item else { continue };
            let homes = homes(block, &names, &source.module(), |of, other| {
                may_name(sources[of.file].room(), sources[other.file].room())
            });
            let silent = !block.items.iter().any(|item| matches!(item, ImplItem::Fn(_)));
            let at_home = |home: &Defined| {
                let home = &sources[home.file];
                let above = !may_name(sources[homes[0].file].room(), home.room());
                let in_its_room = above && silent && source.room() == home.room();
                source.path == home.path || source.path.starts_with(&home.folder()) || in_its_room
            };
            if let Some(home) = homes.first().filter(|_| !homes.iter().any(at_home)) {
                let line = block.impl_token.span().start().line;
                let belongs = &sources[home.file].path;
                found.push(format!("src/{}:{line}: this impl of {} belongs to src/{belongs}", source.path, home.name));
            }
        }
    }
    found
}

/// What an `impl` may stand with. A type of this crate keeps its own; one of our traits keeps what it does for others' types;
/// and what is foreign on both sides, as `From<ours> for theirs`, stands with ours.
fn homes(block: &ItemImpl, names: &Names, module: &str, may_name: impl Fn(&Defined, &Defined) -> bool) -> Vec<Defined> {
    let of_trait = block.trait_.as_ref().and_then(|(path, _)| path_named(path, names, module));
    match (self_type(block, names, module), of_trait) {
        (Some(own), Some(of_trait)) if !may_name(&own, &of_trait) => vec![own, of_trait],
        (Some(own), _) => vec![own],
        (None, Some(of_trait)) => [vec![of_trait], within(&block.self_ty, names, module)].concat(),
        (None, None) => block.trait_.iter().flat_map(|(path, _)| in_arguments(path, names, module)).collect(),
    }
}

/// The types of this crate among the arguments of a foreign one, as in `Arc<Ours>`.
fn within(named: &syn::Type, names: &Names, module: &str) -> Vec<Defined> {
    match named {
        syn::Type::Path(path) => in_arguments(&path.path, names, module),
        _ => Vec::new(),
    }
}

fn in_arguments(path: &syn::Path, names: &Names, module: &str) -> Vec<Defined> {
    let lists = path.segments.iter().filter_map(|segment| match &segment.arguments {
        PathArguments::AngleBracketed(list) => Some(&list.args),
        _ => None,
    });
    let types = lists.flatten().filter_map(|argument| match argument {
        GenericArgument::Type(named) => Some(named),
        _ => None,
    });
    types.filter_map(|named| type_named(named, names, module)).collect()
}

#[cfg(test)]
fn told<const N: usize>(files: [(&str, &str); N]) -> Vec<String> {
    misplaced(&made_up(files), |of, other| of == other || of == "above")
}

#[test]
fn a_type_keeps_its_impls_in_its_file_or_folder() {
    let files = |path, text| {
        [("room/mod.rs", "mod a; mod b; pub struct Top;"), ("room/a.rs", "mod inner; pub struct X;"), (path, text)]
    };
    assert_eq!(told(files("room/a/inner.rs", "use super::X; impl X {} impl Clone for &X {}")), [""; 0]);
    assert_eq!(told(files("room/b.rs", "impl super::Top {}")), [""; 0], "mod.rs has the whole folder");
    let elsewhere = ["src/room/b.rs:1: this impl of X belongs to src/room/a.rs"];
    assert_eq!(told(files("room/b.rs", "use super::a::X; impl X {}")), elsewhere);
    assert_eq!(told(files("room/b.rs", "use super::a::X; impl std::fmt::Debug for X {}")), elsewhere);
    assert_eq!(told(files("room/b.rs", "use super::a::X; impl From<X> for u8 {}")), elsewhere);
    assert_eq!(
        told(files("room/mod.rs", "mod a; use a::X; impl X {}")).len(),
        1,
        "a folder has no claim on its child's type"
    );
}

#[test]
fn one_of_our_traits_keeps_what_it_does_for_foreign_types() {
    let files = |path, text| {
        [
            ("lib.rs", "mod room;"),
            ("room/mod.rs", "mod t; mod b;"),
            ("room/t.rs", "pub trait T {} impl T for u8 {} impl<F: Copy> T for F {}"),
            (path, text),
        ]
    };
    assert_eq!(told(files("room/b.rs", "")), [""; 0]);
    let elsewhere = "src/room/b.rs:1: this impl of T belongs to src/room/t.rs";
    assert_eq!(told(files("room/b.rs", "use crate::room::t::T; impl T for u16 {}")), [elsewhere]);
    assert_eq!(told(files("room/b.rs", "use crate::room::t::T; struct X; impl T for X {}")), [""; 0]);
    assert_eq!(told(files("room/b.rs", "use crate::room::t::T; struct X; impl T for Box<X> {}")), [""; 0]);
}

#[test]
fn a_trait_of_a_room_above_keeps_what_it_does_for_types_below() {
    let files = |path, text| {
        [
            ("above/t.rs", "use crate::below::X; pub trait T { fn f(); } impl T for X { fn f() {} }"),
            ("lib.rs", "mod above; mod below; mod third;"),
            ("above/mod.rs", "mod t; mod other;"),
            ("below.rs", "pub struct X;"),
            (path, text),
        ]
    };
    assert_eq!(told(files("above/other.rs", "")), [""; 0]);
    let elsewhere = "src/above/other.rs:1: this impl of X belongs to src/below.rs";
    assert_eq!(told(files("above/other.rs", "impl super::t::T for crate::below::X { fn f() {} }")), [elsewhere]);
    let silent = "impl super::t::T for crate::below::X { const WORD: u8 = 1; }";
    assert_eq!(told(files("above/other.rs", silent)), [""; 0], "it hides no call");
    assert_eq!(told(files("third.rs", &silent.replace("super", "crate::above"))).len(), 1, "not in any room");
}
