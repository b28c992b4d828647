//! The pictures of the manual: each is a program drawn by this repository's own code.
//!
//! A picture that somebody drew by hand says what its author believed. These are made of the programs that the tests
//! hold to what they say; a page that shows `pictures/NAME.svg` has the program `NAME` of `programs/` to go with it.
//! `cargo run -p xtask -- pictures` writes them anew, and a test fails while one is out of date.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fencepost_core::draw::{Theme, svg};
use fencepost_core::timeline::Timeline;
use fencepost_format::parse;

/// Writes every picture that a page shows, and removes those that none does.
pub(crate) fn run(root: &Path) -> ExitCode {
    match write(root) {
        Ok(count) => {
            println!("pictures: {count} written");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("pictures: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(root: &Path) -> io::Result<usize> {
    let folder = root.join(FOLDER);
    fs::create_dir_all(&folder)?;
    let shown = shown(root)?;
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !shown.contains(&name) {
            fs::remove_file(&path)?;
        }
    }
    for name in &shown {
        fs::write(folder.join(format!("{name}.svg")), draw(root, name)?)?;
    }
    Ok(shown.len())
}

/// Names of the pictures that pages show.
fn shown(root: &Path) -> io::Result<BTreeSet<String>> {
    let mut pages = vec![root.join("README.md")];
    for entry in fs::read_dir(root.join("docs/manual"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "md") {
            pages.push(path);
        }
    }
    let mut names = BTreeSet::new();
    for page in pages {
        names.extend(named(&fs::read_to_string(page)?).map(str::to_owned));
    }
    Ok(names)
}

/// The names in `pictures/NAME.svg`.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let names = text.split("pictures/").skip(1).filter_map(|rest| rest.split_once(".svg"));
    names.map(|(name, _)| name).filter(|name| !name.contains(['/', ' ', '\n']))
}

fn draw(root: &Path, name: &str) -> io::Result<String> {
    let path = program(root, name)?;
    let text = fs::read_to_string(&path)?;
    let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidData, format!("{name}: {error}"));
    let parsed = parse(name, &text).map_err(|error| invalid(error.to_string()))?;
    let timeline = Timeline::of(&parsed.program).map_err(|error| invalid(error.to_string()))?;
    Ok(svg(&timeline, name, Theme::Auto))
}

/// The program of a name, in whichever folder of `programs/` it is.
fn program(root: &Path, name: &str) -> io::Result<PathBuf> {
    for entry in fs::read_dir(root.join("programs"))? {
        let path = entry?.path().join(format!("{name}.kdl"));
        if path.is_file() {
            return Ok(path);
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, format!("programs/ has no {name}.kdl")))
}

const FOLDER: &str = "docs/manual/pictures";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_name_their_pictures() {
        let text = "![a](pictures/s1-a.svg) and docs/manual/pictures/s2.svg, not pictures/ or pictures/x.png";
        assert_eq!(named(text).collect::<Vec<_>>(), ["s1-a", "s2"]);
    }

    #[test]
    fn every_picture_is_as_its_program() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut old = Vec::new();
        for name in shown(&root).expect("the pages can be read") {
            let kept = fs::read_to_string(root.join(FOLDER).join(format!("{name}.svg"))).unwrap_or_default();
            let now = draw(&root, &name).expect("a picture is of a program");
            if kept != now {
                old.push(name);
            }
        }
        assert!(old.is_empty(), "out of date: {old:?}; cargo run -p xtask -- pictures draws them anew");
    }
}
