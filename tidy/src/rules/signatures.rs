//! No type of a package that we may want to exchange shows in a public signature.

use crate::Problem;
use crate::code::{code_only, is_word, line_of, names_crate, without_tests, words};
use crate::tree::File;
use std::collections::BTreeSet;

/// The packages, as code names them.
pub const HIDDEN: &[&str] =
    &["reqwest", "oauth2", "quick_xml", "rusqlite", "tokio_postgres", "hyper", "aws_lc_rs"];

/// Public items of library crates, and implementations of foreign conversions, that show a hidden package's type,
/// whether by its full path or by a name that the file imported.
pub fn leaks(file: &File) -> Vec<Problem> {
    if !file.path.starts_with("crates/") || file.source_of().is_none() {
        return Vec::new();
    }
    let code = code_only(&file.text);
    let code = without_tests(&code);
    // A module of ours may have a package's name, as `auth::oauth2` has: then the name means the module.
    let own = |name: &str| code.contains(&format!("mod {name};")) || code.contains(&format!("mod {name} {{"));
    let packages: Vec<&str> = HIDDEN.iter().copied().filter(|name| !own(name)).collect();
    let imported = imported(code, &packages);
    let mut problems = Vec::new();
    for (at, signature) in public_signatures(code) {
        let shown = words(signature).into_iter().find(|(at, word)| {
            imported.contains(*word) || packages.contains(word) && names_crate(signature, *at, word)
        });
        if let Some((_, word)) = shown {
            let what = format!("a public signature shows {word}");
            let remedy = "take or give a type of ours, and keep the package behind it";
            problems.push(Problem::new(format!("{}:{}", file.path, line_of(code, at)), what, remedy));
        }
    }
    problems
}

/// The names that `use` brings in from hidden packages.
fn imported(code: &str, packages: &[&str]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("use ") {
        let statement = code[at + "use ".len()..].split(';').next().unwrap_or("").trim();
        let root: String = statement.trim_start_matches("::").chars().take_while(|c| is_word(*c)).collect();
        let starts_a_word = !code[..at].ends_with(is_word);
        if !starts_a_word || !packages.contains(&root.as_str()) {
            continue;
        }
        for item in statement.split(['{', '}', ',']) {
            let renamed = item.rsplit(" as ").next().unwrap_or(item);
            let last = renamed.rsplit("::").next().unwrap_or(renamed).trim();
            if last.starts_with(char::is_uppercase) {
                names.insert(last.to_owned());
            }
        }
    }
    names
}

/// What follows each bare `pub`, up to its body or end, and each `impl … for …` head.
fn public_signatures(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, word) in words(code) {
        let tail = &code[at..];
        let public = word == "pub" && tail[3..].starts_with(char::is_whitespace);
        let conversion = word == "impl" && {
            let head = tail.split('{').next().unwrap_or("");
            head.contains(" for ") && head.contains("From<") && !head.contains("pub(")
        };
        if public {
            found.push((at, signature(tail)));
        } else if conversion {
            found.push((at, tail.split('{').next().unwrap_or("")));
        }
    }
    found
}

/// Up to the body of a function, the end of a statement, or the comma behind a field.
fn signature(tail: &str) -> &str {
    let (is_use, is_struct, is_type) =
        (tail.starts_with("pub use"), tail.starts_with("pub struct"), tail.starts_with("pub type"));
    let mut depth = 0_i32;
    for (at, c) in tail.char_indices() {
        match c {
            // The fields of a tuple each say for themselves whether they are public.
            '(' if is_struct => return &tail[..at],
            '(' | '<' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '>' if !tail[..at].ends_with(['-', '=']) => depth -= 1,
            '{' if !is_use => return &tail[..at],
            ';' => return &tail[..at],
            ',' if depth <= 0 && !is_use => return &tail[..at],
            '=' if depth <= 0 && !is_type && !tail[at..].starts_with("=>") => return &tail[..at],
            _ => {}
        }
        if depth < 0 {
            return &tail[..at];
        }
    }
    tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shows(text: &str, expect: &[&str]) {
        let found = leaks(&File::new("crates/a/src/lib.rs", text));
        let what: Vec<_> = found
            .iter()
            .map(|problem| problem.what.trim_start_matches("a public signature shows "))
            .collect();
        assert_eq!(what, expect, "{text}");
    }

    #[test]
    fn leaks_are_found() {
        shows("pub fn a(c: &reqwest::Client) {}", &["reqwest"]);
        shows("use rusqlite::{Connection as Db, params};\npub fn a() -> Result<Db, X> {}", &["Db"]);
        shows("pub struct A { pub inner: oauth2::Token, b: u8 }", &["oauth2"]);
        shows("pub struct A(pub reqwest::Url);", &["reqwest"]);
        shows("pub use reqwest::{self, Url};", &["reqwest"]);
        shows("pub use reqwest;", &["reqwest"]);
        shows("pub fn a(c: ::reqwest::Client) {}", &["reqwest"]);
        shows("pub type A = B<reqwest::Url>;", &["reqwest"]);
        shows("impl From<rusqlite::Error> for Mine {}", &["rusqlite"]);
    }

    #[test]
    fn what_stays_inside_is_fine() {
        shows("pub fn a() { reqwest::get() }", &[]);
        shows("pub(crate) fn a(c: reqwest::Client) {}", &[]);
        shows("pub struct A { inner: reqwest::Client }", &[]);
        shows("pub struct A(reqwest::Client);", &[]);
        shows("use rusqlite::Connection;\nfn a(c: Connection) {}", &[]);
        shows("pub mod oauth2;\npub use oauth2::Mine;\npub fn a(x: oauth2::Mine) {}", &[]);
        shows("pub fn a(x: crate::auth::oauth2::Mine, oauth2: u8) {}", &[]);
        shows("pub const A: u8 = hyper_like();", &[]);
        shows("/// reqwest::Client\npub fn a(c: \"reqwest\") {}", &[]);
    }
}
