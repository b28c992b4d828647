//! Size and opening of files and functions: what one can read in one sitting.

use super::Finding;
use super::syntax::Source;

/// The longest file, in lines.
const FILE_LINES: usize = 800;
/// The longest function, from `fn` to its closing brace, in lines.
const FUNCTION_LINES: usize = 70;

pub(super) fn check(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_LINES {
        let text = format!("has {lines} lines, {FILE_LINES} are allowed: split it where a name teaches");
        findings.push(Finding::new(source.path, 0, text));
    }
    if !source.documented {
        findings.push(Finding::new(source.path, 1, "does not open with `//!`: say why this file exists"));
    }
    for function in
        source.functions.iter().filter(|function| function.lines > FUNCTION_LINES && !function.table)
    {
        let text = format!("`{}` has {} lines, {FUNCTION_LINES} are allowed", function.name, function.lines);
        findings.push(Finding::new(source.path, function.line, text));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tree::File;
    use super::*;

    fn findings(text: String) -> Vec<(usize, String)> {
        let file = File { path: "core/src/x.rs".to_owned(), text };
        let source = Source::parse(&file).expect("the test's text is Rust");
        check(&source).into_iter().map(|finding| (finding.line, finding.text)).collect()
    }

    #[test]
    fn the_limits_are_inclusive() {
        let function = |lines: usize| format!("//! Why.\nfn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2));
        assert_eq!(findings(function(70)), []);
        assert_eq!(findings(function(71)), [(2, "`f` has 71 lines, 70 are allowed".to_owned())]);
        let table = "#[allow(clippy::too_many_lines, reason = \"a table\")]\nfn f()";
        assert_eq!(findings(function(71).replace("fn f()", table)), []);
        assert_eq!(findings(function(71).replace("fn f()", &table.replace("reason", "because"))).len(), 1);
        let file = |lines: usize| format!("//! Why.\n{}", "const A: u8 = 0;\n".repeat(lines - 1));
        assert_eq!(findings(file(800)), []);
        assert_eq!(findings(file(801)).len(), 1);
    }

    #[test]
    fn a_file_opens_with_its_reason() {
        assert_eq!(findings("// Not documentation.\n".to_owned()).len(), 1);
        assert_eq!(findings("/// An item's.\nfn f() {}\n".to_owned()).len(), 1);
    }
}
