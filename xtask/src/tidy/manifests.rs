//! Each dependency is argued for in its own line of the manifest.

use super::Finding;
use super::tree::File;

pub(super) fn check(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut listing = false;
    let mut previous = "";
    for (index, line) in file.text.lines().enumerate() {
        let (code, comment) = split(line);
        let argued = !comment.trim().is_empty() || previous.trim_start().starts_with('#');
        let mut unargued = |name: &str| {
            let text = format!("`{name}` has no reason: say in a comment on its line what it is for");
            findings.push(Finding::new(&file.path, index + 1, text));
        };
        if let Some(header) = code.trim().strip_prefix('[') {
            let header = header.trim_start_matches('[').trim_end_matches(']');
            listing = header.ends_with("dependencies");
            let one = header.rsplit_once("dependencies.").map(|(_, name)| name);
            if let Some(name) = one.filter(|_| !argued) {
                unargued(name);
            }
        } else if listing && code.starts_with(|first: char| first.is_ascii_alphabetic()) && !argued {
            unargued(code.split(['=', '.']).next().unwrap_or(code).trim());
        }
        previous = line;
    }
    findings
}

/// A line's code and its comment. A `#` inside quotes is code.
fn split(line: &str) -> (&str, &str) {
    let mut quoted = false;
    for (at, letter) in line.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '#' if !quoted => return (&line[..at], &line[at + 1..]),
            _ => {}
        }
    }
    (line, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        let file = File { path: "a/Cargo.toml".to_owned(), text: text.to_owned() };
        check(&file).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn every_dependency_has_a_reason() {
        assert_eq!(lines("[dependencies]\na = \"1\"\nb = \"1\" # why\n# why\nc = \"1\"\n"), [2]);
        assert_eq!(lines("[dev-dependencies]\na.workspace = true\n"), [2]);
        assert_eq!(lines("[target.'cfg(unix)'.dependencies]\na = \"1\"\n"), [2]);
        assert_eq!(
            lines("[dependencies.naga]\nversion = \"30\"\n[dependencies.syn] # why\nversion = \"2\"\n"),
            [1]
        );
        assert_eq!(lines("[package]\nname = \"x\"\n[features]\njit = []\n"), [0_usize; 0]);
        assert_eq!(lines("[dependencies]\na = { git = \"x#y\" }\n"), [2]);
    }
}
