//! The commands of the manual's page on debugging print what the page says.
//!
//! A block of commands is followed by a block of output, where there is any worth showing. Its lines stand in the output in this order; `…`
//! stands for any number of others, and without one the next line follows at once.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A fenced block: its language and its lines.
struct Block {
    language: String,
    lines: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                open = Some(Block { language: language.to_owned(), lines: Vec::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    blocks
}

/// Runs a line where the page's files are; what it prints, on both ways.
fn run(line: &str, folder: &Path) -> String {
    let arguments =
        line.strip_prefix("fencepost ").unwrap_or_else(|| panic!("no command of the tool: {line}"));
    let output = Command::new(env!("CARGO_BIN_EXE_fencepost"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .expect("the tool starts");
    assert_ne!(output.status.code(), Some(2), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Whether the lines of a block stand in an output.
fn stands(block: &[String], output: &str) -> Result<(), String> {
    let lines: Vec<&str> = output.lines().map(str::trim_end).collect();
    let (mut at, mut skip) = (0, false);
    for wanted in block {
        if wanted == "…" {
            skip = true;
            continue;
        }
        let found = lines[at..].iter().position(|line| line == wanted);
        match found {
            Some(0) => at += 1,
            Some(distance) if skip => at += distance + 1,
            _ => return Err(format!("`{wanted}` is not there, or not there: {output}")),
        }
        skip = false;
    }
    Ok(())
}

#[test]
fn the_page_on_debugging_says_what_happens() {
    let page = std::fs::read_to_string(root().join("docs/manual/debugging.md")).expect("the page is there");
    let folder = std::env::temp_dir().join(format!("fencepost-manual-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("programs/guide")).expect("a folder for temporary files");
    for name in ["thumbnail.kdl", "thumbnail-mended.kdl"] {
        let path = Path::new("programs/guide").join(name);
        std::fs::copy(root().join(&path), folder.join(&path)).expect("the program is there");
    }
    let (mut output, mut commands, mut compared) = (String::new(), 0, 0);
    for block in blocks(&page) {
        match block.language.as_str() {
            "sh" => {
                output = block.lines.iter().map(|line| run(line, &folder)).collect();
                commands += block.lines.len();
            }
            "text" => {
                stands(&block.lines, &output).unwrap_or_else(|reason| panic!("{reason}"));
                compared += 1;
            }
            // What stands on the page stands in the files.
            "kdl" => {
                let text = block.lines.join("\n");
                let files = ["thumbnail.kdl", "thumbnail-mended.kdl"]
                    .map(|name| std::fs::read_to_string(folder.join("programs/guide").join(name)));
                let holds = files.into_iter().flatten().any(|file| file.contains(&text));
                assert!(holds, "in neither file: {text}");
            }
            other => panic!("a block in {other}"),
        }
    }
    assert!(folder.join("thumbnail.svg").exists(), "the picture was drawn");
    std::fs::remove_dir_all(&folder).expect("the temporary files go");
    assert!(commands >= 6 && compared >= 4, "{commands} commands, {compared} outputs");
}
