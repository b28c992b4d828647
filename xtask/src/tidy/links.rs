//! Links between the repository's own pages: the file is there, and so is the heading.

use super::Finding;
use super::tree::File;

pub(super) fn check(file: &File, files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, target) in links(&file.text) {
        if let Err(text) = resolve(&file.path, &target, files) {
            findings.push(Finding::new(&file.path, line, format!("links to `{target}`: {text}")));
        }
    }
    findings
}

/// Targets of `[text](target)` and `[name]: target`, outside code, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let line = without_code(line);
            for (at, _) in line.match_indices("](") {
                let target = line[at + 2..].split(')').next().unwrap_or_default();
                found.push((index + 1, target.trim().to_owned()));
            }
            if let Some((_, target)) = line.split_once("]: ").filter(|_| line.starts_with('[')) {
                found.push((index + 1, target.trim().to_owned()));
            }
        }
    }
    found
}

/// The line with what stands between backticks blanked out, so that code is not read as links.
fn without_code(line: &str) -> String {
    let mut code = false;
    let blank = |letter: char| {
        if letter == '`' {
            code = !code;
        }
        if code && letter != '`' { ' ' } else { letter }
    };
    line.chars().map(blank).collect()
}

/// Whether a target of a page is there. Addresses on the web and paths of Rust items are not looked at.
fn resolve(from: &str, target: &str, files: &[File]) -> Result<(), &'static str> {
    if target.contains("://") || target.starts_with("mailto:") || target.contains("::") {
        return Ok(());
    }
    let (path, heading) =
        target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
    let full =
        if path.is_empty() { from.to_owned() } else { join(from, path).ok_or("leaves the repository")? };
    let Some(file) = files.iter().find(|file| file.path == full) else {
        let folder = format!("{full}/");
        let is_folder = full.is_empty() || files.iter().any(|file| file.path.starts_with(&folder));
        return if is_folder { Ok(()) } else { Err("there is no such file") };
    };
    match heading {
        Some(heading) if !headings(&file.text).any(|name| name == heading) => {
            Err("that page has no such heading")
        }
        _ => Ok(()),
    }
}

/// `path` as seen from the folder of `from`, without dots.
fn join(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Names that the headings of a page can be linked by: lower case, spaces as dashes, other marks dropped.
fn headings(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let keep = |letter: char| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            _ => Some(letter).filter(|letter| letter.is_alphanumeric()),
        };
        title.chars().filter_map(keep).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> usize {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let files =
            [file("docs/a.md", text), file("docs/b/c.md", "# A heading, `x`\n"), file("README.md", "")];
        check(&files[0], &files).len()
    }

    #[test]
    fn targets_are_found() {
        assert_eq!(
            findings("[a](b/c.md) [b](../README.md) [c](b/c.md#a-heading-x) [d](b) [e](https://x.y/z)"),
            0
        );
        assert_eq!(findings("[a](b/d.md)"), 1);
        assert_eq!(findings("[a](b/c.md#another)"), 1);
        assert_eq!(findings("[a](../../x)"), 1);
        assert_eq!(findings("# Here\n[a](#here) [b](#there)"), 1);
        assert_eq!(findings("[a]: c.md\n"), 1);
    }

    #[test]
    fn code_is_not_a_link() {
        assert_eq!(findings("`[a](nowhere)`\n```\n[a](nowhere)\n```\n[`Device`](crate::Device)"), 0);
    }
}
