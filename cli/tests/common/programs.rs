//! Every program under `programs/`, for whichever test asks about all of them.
use std::path::{Path, PathBuf};

use fencepost_cli::format::parse;
use fencepost_core::program::Program;

/// Where each file is, its text, and the program that it is, in the order of the paths.
pub(crate) fn programs() -> Vec<(PathBuf, String, Program)> {
    let mut files = Vec::new();
    add(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../programs"), &mut files);
    files.sort();
    let read = |path: PathBuf| {
        let source = std::fs::read_to_string(&path).expect("a program can be read");
        let name = path.display().to_string();
        let program = parse(&name, &source).unwrap_or_else(|fault| panic!("{name}: {fault}")).program;
        (path, source, program)
    };
    files.into_iter().map(read).collect()
}

fn add(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of programs") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            add(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "kdl") {
            files.push(path);
        }
    }
}
