//! Just enough of Rust's lexical rules to tell code from comments and strings.

use std::iter::Peekable;
use std::str::CharIndices;

/// The source with comments and the insides of strings and characters blanked. Lines and columns stay where they were,
/// and attributes stay too.
pub fn code_only(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let (length, is_code) = token(rest, before);
        let (piece, after) = rest.split_at(length);
        if is_code {
            out.push_str(piece);
        } else {
            out.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        before = if is_code { piece.chars().last().unwrap_or(first) } else { ' ' };
        rest = after;
    }
    out
}

/// The length in bytes of the next thing in `rest`, and whether it is code.
fn token(rest: &str, before: char) -> (usize, bool) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), false);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), false);
    }
    let starts_word = !is_word(before);
    if let Some(length) = starts_word.then(|| raw_string(rest)).flatten() {
        return (length, false);
    }
    if rest.starts_with('"') {
        return (quoted(rest, '"'), false);
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    (rest.chars().next().map_or(1, char::len_utf8), true)
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`, `br"…"`, `cr"…"`.
fn raw_string(rest: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        rest.strip_prefix(prefix).is_some_and(|tail| tail.trim_start_matches('#').starts_with('"'))
    })?;
    let tail = &rest[prefix.len()..];
    let hashes = tail.len() - tail.trim_start_matches('#').len();
    let close = format!("\"{}", "#".repeat(hashes));
    let body = &tail[hashes + 1..];
    let end = body.find(&close).map_or(body.len(), |at| at + close.len());
    Some(prefix.len() + hashes + 1 + end)
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut chars: Peekable<CharIndices<'_>> = rest.char_indices().peekable();
    chars.next();
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return at + 1;
        }
    }
    rest.len()
}

/// A character literal is blanked; a lifetime is code.
fn character(rest: &str) -> (usize, bool) {
    let mut chars = rest.chars().skip(1);
    let (first, second) = (chars.next(), chars.next());
    if first == Some('\\') || second == Some('\'') {
        return (quoted(rest, '\''), false);
    }
    (1, true)
}

/// Whether `c` may stand inside an identifier.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The identifiers, keywords and numbers of `code`, each with its byte offset.
pub fn words(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in code.char_indices().chain([(code.len(), ' ')]) {
        match (start, is_word(c)) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                found.push((from, &code[from..at]));
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// The line, counted from 1, on which byte `offset` stands.
pub fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// The attributes of `code`, `#[…]` and `#![…]`, each with its offset and the text between the brackets.
pub fn attributes(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices('#') {
        let tail = &code[at + 1..];
        let tail = tail.strip_prefix('!').unwrap_or(tail);
        if let Some(body) = tail.strip_prefix('[') {
            found.push((at, &body[..balanced(body)]));
        }
    }
    found
}

/// Where the bracket that is already open closes.
fn balanced(body: &str) -> usize {
    let mut depth = 1_usize;
    for (at, c) in body.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    body.len()
}

/// Whether the word at `at` names a crate: a path begins with it, or a `use` brings it in. `erp_http::auth::oauth2::X`
/// names erp_http and not oauth2.
pub fn names_crate(code: &str, at: usize, word: &str) -> bool {
    let (before, after) = (&code[..at], &code[at + word.len()..]);
    let statement = before.rsplit(';').next().unwrap_or(before);
    let import = statement.rfind("use ").map(|from| &statement[from + "use ".len()..]);
    match import.filter(|import| !import.contains(['(', '=', '<'])) {
        Some(import) => import.trim().trim_start_matches("::").trim_start_matches('{').trim().is_empty(),
        None => {
            let inside = before.strip_suffix("::").is_some_and(|path| path.ends_with(is_word));
            !inside && after.starts_with("::")
        }
    }
}

/// The code without what stands behind the first `#[cfg(test)] mod`.
pub fn without_tests(code: &str) -> &str {
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let at = from + found;
        let tail = code[at + "#[cfg(test)]".len()..].trim_start();
        let has_body = tail.find(['{', ';']).is_some_and(|end| tail[end..].starts_with('{'));
        if tail.starts_with("mod ") && has_body {
            return &code[..at];
        }
        from = at + 1;
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expect: &str) {
        let got = code_only(source);
        assert_eq!(got.split_whitespace().collect::<Vec<_>>().join(" "), expect);
    }

    #[test]
    fn comments_and_strings_are_no_code() {
        check("let a = 1; // f64\nlet b;", "let a = 1; let b;");
        check("/* outer /* f64 */ still */ x", "x");
        check(r#"call("f64 \" f64", y)"#, "call( , y)");
        check("r\"f64\" z", "z");
        check("br#\"f64 \" f64\"# z", "z");
        check("for\"f64\"", "for");
        check("'\"' f '\\'' g '\u{e9}' h", "f g h");
        check("fn a<'a>(x: &'a str) {}", "fn a<'a>(x: &'a str) {}");
    }

    #[test]
    fn lines_stay_where_they_were() {
        let code = code_only("/* a\n b */\n\"c\nd\"\nhere");
        let at = code.find("here").unwrap();
        assert_eq!(line_of(&code, at), 5);
    }

    #[test]
    fn words_and_attributes() {
        assert_eq!(words("as_f64(x1)+2.5"), [(0, "as_f64"), (7, "x1"), (11, "2"), (13, "5")]);
        let attributes = attributes("#![deny(a)]\n#[cfg(any(b, c[0]))] fn x() {}");
        assert_eq!(attributes, [(0, "deny(a)"), (12, "cfg(any(b, c[0]))")]);
    }

    #[track_caller]
    fn names_it(code: &str, expect: bool) {
        let at = code.find("it").unwrap();
        assert_eq!(names_crate(code, at, "it"), expect, "{code}");
    }

    #[test]
    fn a_crate_is_named_by_the_root_of_a_path() {
        names_it("fn a(x: it::B) {}", true);
        names_it("f(a, it::b())", true);
        names_it("x; use it::B;", true);
        names_it("} pub use it;", true);
        names_it("use ::it::B;", true);
        names_it("use {it::B};", true);
        names_it("use a::it::B;", false);
        names_it("use a::{b, it::B};", false);
        names_it("fn a(x: a::it::B) {}", false);
        names_it("let it = 1;", false);
        names_it("mod it;", false);
    }

    #[test]
    fn only_a_test_module_with_a_body_ends_the_code() {
        assert_eq!(without_tests("a #[cfg(test)]\nmod tests { b }"), "a ");
        assert_eq!(without_tests("a #[cfg(test)] mod tests; b"), "a #[cfg(test)] mod tests; b");
        assert_eq!(without_tests("#[cfg(test)] fn x() {} b"), "#[cfg(test)] fn x() {} b");
    }
}
