//! What the rules need to know of one Rust file: the paths it names outside its tests, its functions and its attributes.
//!
//! Names are compared as written, not resolved: `use crate::backend;` followed by `backend::cpu::x` is caught because the two
//! segments stand together in the second path. An alias (`use backend as b`) would hide one; reviews see those.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use super::Finding;
use super::tree::File;

/// A parsed file.
pub(super) struct Source<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    /// Inner documentation (`//!`) stands at its top.
    pub(super) documented: bool,
    pub(super) functions: Vec<Function>,
    /// Every path outside test code, its segments in order; a `use` of a tree is one path a leaf, a glob ends in `*`.
    pub(super) paths: Vec<(usize, Vec<String>)>,
    /// Lines on which the word `unsafe` is code.
    pub(super) unsafe_lines: Vec<usize>,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) line: usize,
    /// From `fn` to the closing brace.
    pub(super) lines: usize,
    /// Allowed to be long, with a reason: a table.
    pub(super) table: bool,
}

impl<'a> Source<'a> {
    pub(super) fn parse(file: &'a File) -> Result<Self, Finding> {
        let parsed = syn::parse_file(&file.text).map_err(|error| {
            Finding::new(&file.path, error.span().start().line, format!("does not parse: {error}"))
        })?;
        let mut reader = Reader { test_file: is_test_file(&file.path), ..Reader::default() };
        reader.visit_file(&parsed);
        let mut unsafe_lines = Vec::new();
        if let Ok(tokens) = file.text.parse::<TokenStream>() {
            find_unsafe(tokens, &mut unsafe_lines);
        }
        let documented = parsed.attrs.iter().any(|attribute| {
            attribute.path().is_ident("doc") && matches!(attribute.style, syn::AttrStyle::Inner(_))
        });
        let Reader { functions, paths, .. } = reader;
        Ok(Self { path: &file.path, text: &file.text, documented, functions, paths, unsafe_lines })
    }

    /// The line of the first path that holds these segments one after the other.
    pub(super) fn names(&self, segments: &[&str]) -> Option<usize> {
        self.paths
            .iter()
            .find(|(_, path)| path.windows(segments.len()).any(|part| part == segments))
            .map(|(line, _)| *line)
    }

    /// The line of the first path that begins with these segments.
    pub(super) fn names_from_root(&self, segments: &[&str]) -> Option<usize> {
        let starts =
            |path: &[String]| path.len() >= segments.len() && path.iter().zip(segments).all(|(a, b)| a == b);
        self.paths.iter().find(|(_, path)| starts(path)).map(|(line, _)| *line)
    }
}

/// Files that hold only tests: their code may use clocks, files and threads.
fn is_test_file(path: &str) -> bool {
    path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || path.contains("/benches/")
        || path.contains("/examples/")
}

fn find_unsafe(tokens: TokenStream, lines: &mut Vec<usize>) {
    for token in tokens {
        match token {
            TokenTree::Ident(word) if word == "unsafe" => lines.push(word.span().start().line),
            TokenTree::Group(group) => find_unsafe(group.stream(), lines),
            _ => {}
        }
    }
}

#[derive(Default)]
struct Reader {
    test_file: bool,
    functions: Vec<Function>,
    paths: Vec<(usize, Vec<String>)>,
}

impl Reader {
    fn function(&mut self, attributes: &[syn::Attribute], signature: &syn::Signature, body: &syn::Block) {
        let line = signature.fn_token.span.start().line;
        let end = body.brace_token.span.close().end().line;
        let (name, table) = (signature.ident.to_string(), attributes.iter().any(allows_length));
        self.functions.push(Function { name, line, lines: end + 1 - line, table });
    }

    fn path(&mut self, line: usize, segments: Vec<String>) {
        if !self.test_file {
            self.paths.push((line, segments));
        }
    }

    /// Leaves of a `use` tree below `prefix`.
    fn use_tree(&mut self, tree: &syn::UseTree, prefix: &[String]) {
        let below = |name: String| prefix.iter().cloned().chain([name]).collect::<Vec<_>>();
        match tree {
            syn::UseTree::Path(path) => self.use_tree(&path.tree, &below(path.ident.to_string())),
            syn::UseTree::Name(name) if name.ident == "self" => {
                self.path(name.ident.span().start().line, prefix.to_vec())
            }
            syn::UseTree::Name(name) => {
                self.path(name.ident.span().start().line, below(name.ident.to_string()))
            }
            syn::UseTree::Rename(name) => {
                self.path(name.ident.span().start().line, below(name.ident.to_string()))
            }
            syn::UseTree::Glob(glob) => {
                self.path(glob.star_token.spans[0].start().line, below("*".to_owned()))
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.use_tree(tree, prefix)),
        }
    }

    /// Paths among the tokens of a macro call, whose grammar is not known.
    fn macro_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut line, mut joined) = (0, false);
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if !joined && !path.is_empty() {
                        let whole = std::mem::take(&mut path);
                        self.path(line, whole);
                    }
                    line = word.span().start().line;
                    path.push(word.to_string());
                    joined = false;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' && !path.is_empty() => joined = true,
                other => {
                    if !path.is_empty() {
                        let whole = std::mem::take(&mut path);
                        self.path(line, whole);
                    }
                    joined = false;
                    if let TokenTree::Group(group) = other {
                        self.macro_tokens(group.stream());
                    }
                }
            }
        }
        if !path.is_empty() {
            self.path(line, path);
        }
    }
}

/// `#[allow(clippy::too_many_lines, reason = "…")]`.
fn allows_length(attribute: &syn::Attribute) -> bool {
    match &attribute.meta {
        syn::Meta::List(list) if attribute.path().is_ident("allow") => {
            let words = list.tokens.to_string();
            words.contains("too_many_lines") && words.contains("reason")
        }
        _ => false,
    }
}

/// Whether an item exists only in test builds (or only as documentation).
fn only_in_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_cfg = attribute.path().is_ident("cfg");
        let words = match &attribute.meta {
            syn::Meta::List(list) if is_cfg => list.tokens.to_string(),
            _ => return false,
        };
        matches!(words.as_str(), "test" | "doctest")
            || words.starts_with("all (test")
            || words.starts_with("all(test")
    })
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let before = self.test_file;
        self.test_file |= only_in_tests(&item.attrs);
        visit::visit_item_mod(self, item);
        self.test_file = before;
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let before = self.test_file;
        self.test_file |= only_in_tests(&item.attrs);
        self.function(&item.attrs, &item.sig, &item.block);
        visit::visit_item_fn(self, item);
        self.test_file = before;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.attrs, &item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !only_in_tests(&item.attrs) {
            self.use_tree(&item.tree, &[]);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let line = path.segments.first().map_or(0, |first| first.ident.span().start().line);
        self.path(line, path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.macro_tokens(call.tokens.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<T>(text: &str, look: impl FnOnce(&Source<'_>) -> T) -> T {
        let file = File { path: "core/src/x.rs".to_owned(), text: text.to_owned() };
        look(&Source::parse(&file).expect("the test's text is Rust"))
    }

    #[test]
    fn grouped_imports_are_split() {
        parse("use crate::{backend::{cpu, Backend}, error::*};", |source| {
            assert_eq!(source.names(&["backend", "cpu"]), Some(1));
            assert_eq!(source.names(&["error", "*"]), Some(1));
            assert_eq!(source.names(&["backend", "vulkan"]), None);
            assert_eq!(source.names_from_root(&["backend"]), None);
        });
    }

    #[test]
    fn paths_in_code_and_in_macros_count() {
        parse(
            "fn f() {\n let _ = std::time::Instant::now();\n assert!(naga::valid() || x, \"{}\", a::b);\n}",
            |source| {
                assert_eq!(source.names_from_root(&["std", "time"]), Some(2));
                assert_eq!(source.names_from_root(&["naga"]), Some(3));
                assert_eq!(source.names(&["a", "b"]), Some(3));
            },
        );
    }

    #[test]
    fn test_modules_are_left_out() {
        parse("#[cfg(test)]\nmod tests { use std::time::Instant; }", |source| {
            assert_eq!(source.names(&["std", "time"]), None);
        });
        parse("#[cfg(not(test))]\nmod tests { use std::time::Instant; }", |source| {
            assert_eq!(source.names(&["std", "time"]), Some(2));
        });
    }

    #[test]
    fn functions_are_measured_from_their_keyword() {
        parse("/// Doc.\nfn f() {\n    let a = 1;\n}\nimpl X { fn g(&self) {} }", |source| {
            let f = Function { name: "f".to_owned(), line: 2, lines: 3, table: false };
            let g = Function { name: "g".to_owned(), line: 5, lines: 1, table: false };
            assert_eq!(source.functions, [f, g]);
        });
    }

    #[test]
    fn the_word_unsafe_counts_in_code_only() {
        parse("//! unsafe\n#![forbid(unsafe_code)]\nfn f() { let _ = \"unsafe\"; }", |source| {
            assert!(source.documented);
            assert_eq!(source.unsafe_lines, [0_usize; 0]);
        });
        parse("fn f() { m! { unsafe { g() } } }", |source| assert_eq!(source.unsafe_lines, [1]));
    }
}
