//! Rules that code cites are in the manual: a number that leads nowhere is worse than none.

use super::Finding;
use super::tree::File;

/// Where the rules are.
const MANUAL: &str = "docs/manual/";

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut known = Vec::new();
    for file in files.iter().filter(|file| file.path.starts_with(MANUAL)) {
        known.extend(file.text.lines().filter_map(defined));
    }
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.is("rs") && !file.path.starts_with("xtask/")) {
        for (index, line) in file.text.lines().enumerate() {
            for number in cited(line).into_iter().filter(|number| !known.contains(number)) {
                let text = format!("cites rule {number}, which {MANUAL} does not have");
                findings.push(Finding::new(&file.path, index + 1, text));
            }
        }
    }
    findings
}

/// The number that a line of the manual defines: `- **4.1.3** …`, or `## 4.1 …` for a group of rules.
fn defined(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let number = match line.strip_prefix("## ") {
        Some(title) => title.split(' ').next()?,
        None => line.trim_start_matches("- ").strip_prefix("**")?.split("**").next()?,
    };
    is_number(number).then_some(number)
}

/// Numbers after the words `rule` and `rules`, and in the list that may follow.
fn cited(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, word) in line.match_indices("rule") {
        let rest = line[at + word.len()..].trim_start_matches('s');
        let list =
            rest.split([' ', '(', ')', ';', ':', '`']).skip(1).map(|part| part.trim_matches([',', '.']));
        found.extend(
            list.take_while(|part| *part == "and" || *part == "to" || is_number(part))
                .filter(|part| is_number(part)),
        );
    }
    found
}

/// `4.1.3`, `0.3`, `L4`.
fn is_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let liveness = text.strip_prefix('L').is_some_and(digits);
    liveness || (text.contains('.') && text.split('.').all(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cited_rule_must_be_defined() {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let manual = file("docs/manual/a.md", "## 4.1 Consumer\n- **4.1.3** It holds.\n- **L4** Waits.\n");
        let findings =
            |text: &str| check(&[file("core/src/a.rs", text), file(&manual.path, &manual.text)]).len();
        assert_eq!(findings("// Held by rule 4.1.3, and by rules 4.1 and L4."), 0);
        assert_eq!(findings("// Held by rule 4.1.4."), 1);
        assert_eq!(findings("// (rules 4.1.3, 9.9 and 8.8)"), 2);
        assert_eq!(findings("// The rule is that 1.5 is more than 1."), 0);
    }
}
