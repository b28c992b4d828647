//! `tidy`: every rule is a function from the files of the tree to findings, so that each has a test on a tree of three lines.

mod links;
mod manifests;
mod rooms;
mod rules;
mod shape;
mod syntax;
mod tree;
mod unsafety;
mod words;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use tree::File;

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// Relative to the root of the repository.
    path: String,
    /// From 1; 0 where the whole file is meant.
    line: usize,
    /// What is wrong, and what to do.
    text: String,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// Checks the tree under `root` and prints what it finds.
pub(crate) fn run(root: &Path) -> ExitCode {
    let files = match tree::read(root) {
        Ok(files) => files,
        Err(error) => {
            eprintln!("tidy: cannot read the tree: {error}");
            return ExitCode::FAILURE;
        }
    };
    let findings = check(&files);
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} files, {} findings", files.len(), findings.len());
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every rule over every file, ordered by place.
fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        findings.extend(words::check(file));
        if file.is("rs") {
            match syntax::Source::parse(file) {
                Ok(source) => {
                    findings.extend(shape::check(&source));
                    findings.extend(rooms::check(&source));
                    findings.extend(unsafety::check(&source, unsafety::ALLOWED));
                }
                Err(error) => findings.push(error),
            }
        } else if file.is("toml") && file.name() == "Cargo.toml" {
            findings.extend(manifests::check(file));
        } else if file.is("md") {
            findings.extend(links::check(file, files));
        }
    }
    findings.extend(rules::check(files));
    findings.extend(unsafety::check_list(files, unsafety::ALLOWED));
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    findings
}
