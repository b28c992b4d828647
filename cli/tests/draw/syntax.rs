//! Whether a text is well-formed XML, DOT or JSON: as much of each as a drawing uses.

/// Tags that open and close in turn, attributes in quotes, no bare `&` or `<`.
pub(crate) fn xml(text: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        references(&rest[..at])?;
        let end = rest[at..].find('>').ok_or("a tag without an end")? + at;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let opened = open.pop().ok_or_else(|| format!("</{name}> closes nothing"))?;
            if opened != name {
                return Err(format!("</{name}> closes <{opened}>"));
            }
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        attributes(&tag[name.len()..])?;
        if name == "style" {
            let end = rest.find("</style>").ok_or("a style without an end")?;
            rest = &rest[end + "</style>".len()..];
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    references(rest)?;
    if open.is_empty() { Ok(()) } else { Err(format!("{open:?} stay open")) }
}

fn attributes(text: &str) -> Result<(), String> {
    let mut rest = text.trim().trim_end_matches('/').trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").ok_or_else(|| format!("{rest:?} is no attribute"))?;
        if name.is_empty()
            || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-:".contains(letter))
        {
            return Err(format!("{name:?} is no name"));
        }
        let (value, behind) = after.split_once('"').ok_or_else(|| format!("{after:?} does not end"))?;
        references(value)?;
        rest = behind.trim_start();
    }
    Ok(())
}

fn references(text: &str) -> Result<(), String> {
    if let Some(letter) = text.chars().find(|letter| (*letter as u32) < 0x20 && *letter != '\n') {
        return Err(format!("{letter:?} is no letter of XML"));
    }
    for part in text.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;"].iter().any(|name| part.starts_with(name));
        if !known {
            return Err(format!("a bare & before {part:?}"));
        }
    }
    Ok(())
}

/// Quotes that close, brackets that match, statements that end, names that are names.
pub(crate) fn dot(text: &str) -> Result<(), String> {
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '"' {
            plain.push(letter);
            continue;
        }
        loop {
            match letters.next().ok_or("a quote that does not close")? {
                '\\' => {
                    let escaped = letters.next().ok_or("an escape without a letter")?;
                    if !matches!(escaped, '"' | '\\' | 'n') {
                        return Err(format!("\\{escaped} is no escape"));
                    }
                }
                '"' => break,
                '\n' => return Err("a line that ends inside of quotes".to_owned()),
                _ => {}
            }
        }
        plain.push('Q');
    }
    let mut open = Vec::new();
    for letter in plain.chars().filter(|letter| "{}[]".contains(*letter)) {
        match (letter, open.last()) {
            ('{' | '[', _) => open.push(letter),
            ('}', Some('{')) | (']', Some('[')) => {
                open.pop();
            }
            _ => return Err(format!("{letter} closes nothing")),
        }
    }
    if !open.is_empty() {
        return Err(format!("{open:?} stay open"));
    }
    for line in plain.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let statement = line.strip_suffix(';').or_else(|| line.strip_suffix('{'));
        let Some(statement) = statement else {
            if line == "}" {
                continue;
            }
            return Err(format!("{line:?} does not end"));
        };
        let names = statement.split('[').next().unwrap_or_default();
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "_ =->".contains(letter);
        if !names.chars().all(plain) {
            return Err(format!("{names:?} is no statement"));
        }
    }
    Ok(())
}

/// Brackets that match, strings that close, commas and colons where they may be.
pub(crate) fn json(text: &str) -> Result<(), String> {
    let rest = value(text.trim_start())?;
    if rest.trim().is_empty() { Ok(()) } else { Err(format!("{rest:?} stands behind the end")) }
}

fn value(text: &str) -> Result<&str, String> {
    let text = text.trim_start();
    match text.chars().next().ok_or("no value")? {
        '{' => members(&text[1..], '}', true),
        '[' => members(&text[1..], ']', false),
        '"' => string(text),
        _ => {
            let end = text.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(text.len());
            let word = &text[..end];
            let known = word == "null" || !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
            if known { Ok(&text[end..]) } else { Err(format!("{word:?} is no value")) }
        }
    }
}

fn members(text: &str, end: char, named: bool) -> Result<&str, String> {
    let mut rest = text.trim_start();
    if let Some(behind) = rest.strip_prefix(end) {
        return Ok(behind);
    }
    loop {
        if named {
            rest = string(rest.trim_start())?.trim_start();
            rest = rest.strip_prefix(':').ok_or("a name without a colon")?;
        }
        rest = value(rest)?.trim_start();
        if let Some(behind) = rest.strip_prefix(end) {
            return Ok(behind);
        }
        rest = rest.strip_prefix(',').ok_or_else(|| format!("no comma before {rest:.20?}"))?;
    }
}

fn string(text: &str) -> Result<&str, String> {
    let body = text.strip_prefix('"').ok_or_else(|| format!("{text:.20?} is no string"))?;
    let mut letters = body.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok(&body[at + 1..]),
            '\\' => {
                letters.next();
            }
            letter if (letter as u32) < 0x20 => return Err(format!("{letter:?} in a string")),
            _ => {}
        }
    }
    Err("a string that does not close".to_owned())
}

#[test]
fn what_is_not_well_formed_is_found() {
    assert!(xml("<a b=\"c\"><d/>x &amp; y</a>\n").is_ok());
    for wrong in ["<a>", "<a></b>", "<a b=c/>", "x & y", "<a b=\"&\"/>", "</a>", "\u{1}"] {
        assert!(xml(wrong).is_err(), "{wrong:?}");
    }
    assert!(dot("digraph \"a\\\"b\" {\n  n1 -> n2 [label=\"x\\ny\"];\n}\n").is_ok());
    for wrong in ["digraph a {", "n1 -> \"n2;\n", "n1 -> n2\n", "a [label=\"\\q\"];", "n1 & n2;"] {
        assert!(dot(wrong).is_err(), "{wrong:?}");
    }
    assert!(json("{\"a\": [1, null, \"x\\\"\"], \"b\": {}}").is_ok());
    for wrong in ["{", "{\"a\"}", "[1 2]", "\"\n\"", "{\"a\": x}", "[] []"] {
        assert!(json(wrong).is_err(), "{wrong:?}");
    }
}
