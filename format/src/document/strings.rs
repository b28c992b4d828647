//! Quoted and raw strings, on one line and on several.

use std::borrow::Cow;

use super::characters::{is_newline, is_space};
use super::reader::{Broken, Reader};

impl<'a> Reader<'a> {
    /// A string in quotes, at its first quote.
    pub(super) fn quoted(&mut self) -> Result<Cow<'a, str>, Broken> {
        let start = self.at;
        if self.rest().starts_with("\"\"\"") {
            let body = self.lines("\"\"\"", true)?;
            let dedented = self.dedent(start, body, true)?;
            return self.unescape(start, &dedented).map(Cow::Owned);
        }
        self.at += 1;
        let body_at = self.at;
        let mut escaped = false;
        loop {
            match self.peek() {
                Some('"') => break,
                Some('\\') => {
                    escaped = true;
                    self.at += 1;
                    let blanks = self.take_while(|character| is_space(character) || is_newline(character));
                    if blanks.is_empty() {
                        self.at += self.peek().map_or(0, char::len_utf8);
                    }
                }
                Some(character) if !is_newline(character) => self.at += character.len_utf8(),
                _ => return Err(self.unclosed(start)),
            }
        }
        let body = &self.source[body_at..self.at];
        self.at += 1;
        self.allowed(body_at, body)?;
        if escaped { self.unescape(start, body).map(Cow::Owned) } else { Ok(Cow::Borrowed(body)) }
    }

    /// A raw string, at its first `#`.
    pub(super) fn raw(&mut self) -> Result<Cow<'a, str>, Broken> {
        let start = self.at;
        let hashes = self.take_while(|character| character == '#').len();
        let closing = |quotes: &str| format!("{quotes}{}", "#".repeat(hashes));
        if self.rest().starts_with("\"\"\"") && !self.rest()[3..].starts_with(&closing("")) {
            let body = self.lines(&closing("\"\"\""), false)?;
            return self.dedent(start, body, false).map(Cow::Owned);
        }
        self.at += 1;
        let body_at = self.at;
        let line = self.rest().find(is_newline).unwrap_or_else(|| self.rest().len());
        let end = closing("\"");
        let Some(length) = self.rest()[..line].find(&end) else { return Err(self.unclosed(start)) };
        let body = &self.source[body_at..body_at + length];
        self.at = body_at + length + end.len();
        self.allowed(body_at, body)?;
        if body == "\"" {
            return Err(self.fault(
                start..self.at,
                "three quotes on one line",
                "this looks like text on several lines",
                "write a single quote as `\"\\\"\"`",
            ));
        }
        Ok(Cow::Borrowed(body))
    }

    fn unclosed(&mut self, start: usize) -> Broken {
        self.fault(
            start..start + 1,
            "quoted text is never closed",
            "opened here",
            "close it with a quote on the same line",
        )
    }

    /// The lines between triple quotes, up to and with the blanks before the closing ones.
    fn lines(&mut self, closing: &str, escapes: bool) -> Result<&'a str, Broken> {
        let start = self.at;
        self.at += 3;
        if !self.take("\r\n") {
            match self.peek() {
                Some(character) if is_newline(character) => self.at += character.len_utf8(),
                _ => {
                    return Err(self.fault(
                        start..start + 3,
                        "text follows three quotes on the same line",
                        "expected the end of the line behind these",
                        "start the text on the next line, or use one quote",
                    ));
                }
            }
        }
        let body_at = self.at;
        while !self.rest().starts_with(closing) {
            let Some(character) = self.peek() else {
                self.at = body_at;
                return Err(self.unclosed(start));
            };
            self.at += character.len_utf8();
            if escapes && character == '\\' {
                self.at += self.peek().map_or(0, char::len_utf8);
            }
        }
        let body = &self.source[body_at..self.at];
        self.at += closing.len();
        self.allowed(body_at, body)?;
        Ok(body)
    }

    /// Takes the blanks before the closing quotes off every line.
    fn dedent(&mut self, start: usize, body: &str, escapes: bool) -> Result<String, Broken> {
        let body = body.replace("\r\n", "\n");
        let body = if escapes { without_escaped_blanks(&body) } else { body };
        let mut lines: Vec<&str> = body.split(is_newline).collect();
        let prefix = lines.pop().unwrap_or_default();
        let is_blank = |line: &str| line.chars().all(is_space);
        let stripped: Option<Vec<&str>> = lines
            .into_iter()
            .map(|line| if is_blank(line) { Some("") } else { line.strip_prefix(prefix) })
            .collect();
        match stripped.filter(|_| is_blank(prefix)) {
            Some(lines) => Ok(lines.join("\n")),
            None => Err(self.fault(
                start..self.at,
                "the lines of a text are not indented alike",
                "each line must start with the blanks before the closing quotes",
                "put the closing quotes on a line of their own, indented as the text",
            )),
        }
    }

    fn unescape(&mut self, start: usize, body: &str) -> Result<String, Broken> {
        let mut text = String::with_capacity(body.len());
        let mut characters = body.chars();
        while let Some(character) = characters.next() {
            if character != '\\' {
                text.push(character);
                continue;
            }
            match escape(characters.as_str()) {
                Some((meant, length)) => {
                    text.extend(meant);
                    characters = characters.as_str()[length..].chars();
                }
                None => {
                    return Err(self.fault(
                        start..self.at,
                        "an unknown escape",
                        "this text has a backslash that means nothing",
                        "the escapes are `\\\\ \\\" \\n \\r \\t \\b \\f \\s` and `\\u{…}`",
                    ));
                }
            }
        }
        Ok(text)
    }
}

/// What stands behind a backslash: the character that is meant, if any, and how many bytes say so.
fn escape(rest: &str) -> Option<(Option<char>, usize)> {
    let simple = |character| Some((Some(character), 1));
    match rest.chars().next()? {
        '\\' => simple('\\'),
        '"' => simple('"'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        'b' => simple('\u{8}'),
        'f' => simple('\u{c}'),
        's' => simple(' '),
        'u' => {
            let digits = rest.strip_prefix("u{")?.split_once('}')?.0;
            let good =
                (1..=6).contains(&digits.len()) && digits.chars().all(|digit| digit.is_ascii_hexdigit());
            let code = u32::from_str_radix(digits, 16).ok().filter(|_| good)?;
            char::from_u32(code).map(|character| (Some(character), digits.len() + 3))
        }
        _ => {
            let after = rest.trim_start_matches(|character| is_space(character) || is_newline(character));
            let blanks = rest.len() - after.len();
            (blanks > 0).then_some((None, blanks))
        }
    }
}

/// Takes out each backslash with the blanks and line ends behind it, before lines are told apart.
fn without_escaped_blanks(body: &str) -> String {
    let mut text = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let after = behind.trim_start_matches(|character| is_space(character) || is_newline(character));
        if after.len() == behind.len() {
            let escaped = behind.chars().next().map_or(0, char::len_utf8);
            text.push_str(&rest[at..at + 1 + escaped]);
            rest = &behind[escaped..];
        } else {
            rest = after;
        }
    }
    text.push_str(rest);
    text
}
