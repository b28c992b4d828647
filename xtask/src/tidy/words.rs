//! Words that no file may hold: paths of one machine, and marks of unfinished work.
//!
//! The words are put together from halves here, so that this file does not find itself.

use super::Finding;
use super::tree::File;

/// Folders of a developer's machine; nobody else has them.
const MACHINE_PATHS: [&str; 3] = [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/ho", "me/")];

/// Marks of unfinished work in code. An open question belongs to an issue.
const UNFINISHED: [&str; 5] = [
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("db", "g!("),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
];

pub(super) fn check(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for path in MACHINE_PATHS.iter().filter(|path| holds_path(line, path)) {
            findings.push(Finding::new(
                &file.path,
                index + 1,
                format!("names a folder of one machine (`{path}`)"),
            ));
        }
        if file.is("rs") {
            for word in UNFINISHED.iter().filter(|word| line.contains(**word)) {
                findings.push(Finding::new(
                    &file.path,
                    index + 1,
                    format!("holds `{word}`: finish it or open an issue"),
                ));
            }
        }
    }
    findings
}

/// Whether the folder stands at the root: `/x/` after `a` is part of a longer path.
fn holds_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || matches!(before, '.' | '_' | '-' | '}'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        check(&File { path: path.to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn machine_paths_are_found_anywhere() {
        let path = concat!("see /ro", "ot/x");
        assert_eq!(findings("docs/a.md", path), 1);
        assert_eq!(findings("docs/a.md", concat!("a/ro", "ot/x and https://host/ro", "ot/")), 0);
    }

    #[test]
    fn unfinished_work_is_found_in_code() {
        assert_eq!(findings("a.rs", concat!("fn f() { to", "do!() }")), 1);
        assert_eq!(findings("a.rs", concat!("// TO", "DO: later")), 1);
        assert_eq!(findings("a.md", concat!("TO", "DO")), 0);
    }
}
