//! Licence expressions: the part of SPDX that crates use, and the old `MIT/Apache-2.0`.

use std::collections::BTreeSet;

/// The licences that an expression names, an exception joined to its licence: `Apache-2.0 WITH LLVM-exception`.
pub fn named(expression: &str) -> BTreeSet<String> {
    tokens(expression)
        .into_iter()
        .filter(|token| !matches!(token.as_str(), "(" | ")" | "AND" | "OR"))
        .collect()
}

/// Whether somebody who accepts just the `allowed` licences may use what is under `expression`. An expression that
/// cannot be read, and an empty one, may not be used.
pub fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let tokens = tokens(expression);
    let mut reader = Reader { tokens: &tokens, at: 0, allowed };
    reader.any() == Some(true) && reader.at == tokens.len()
}

fn tokens(expression: &str) -> Vec<String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut found: Vec<String> = Vec::new();
    let mut words = spaced.split_whitespace();
    while let Some(word) = words.next() {
        match (word, found.last_mut()) {
            ("WITH", Some(licence)) => *licence = format!("{licence} WITH {}", words.next().unwrap_or("?")),
            _ => found.push(word.to_owned()),
        }
    }
    found
}

struct Reader<'a> {
    tokens: &'a [String],
    at: usize,
    allowed: &'a BTreeSet<String>,
}

impl Reader<'_> {
    fn eat(&mut self, token: &str) -> bool {
        let hit = self.tokens.get(self.at).is_some_and(|next| next == token);
        self.at += usize::from(hit);
        hit
    }

    fn any(&mut self) -> Option<bool> {
        let mut value = self.all()?;
        while self.eat("OR") {
            value |= self.all()?;
        }
        Some(value)
    }

    fn all(&mut self) -> Option<bool> {
        let mut value = self.one()?;
        while self.eat("AND") {
            value &= self.one()?;
        }
        Some(value)
    }

    fn one(&mut self) -> Option<bool> {
        if self.eat("(") {
            let value = self.any()?;
            return self.eat(")").then_some(value);
        }
        let licence = self.tokens.get(self.at)?;
        self.at += 1;
        (!matches!(licence.as_str(), "AND" | "OR" | ")")).then(|| self.allowed.contains(licence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, allowed: &[&str], expect: bool) {
        let allowed = allowed.iter().map(|licence| (*licence).to_owned()).collect();
        assert_eq!(is_allowed(expression, &allowed), expect, "{expression} under {allowed:?}");
    }

    #[test]
    fn expressions() {
        check("MIT", &["MIT"], true);
        check("MIT/Apache-2.0", &["Apache-2.0"], true);
        check("GPL-3.0 OR MIT", &["MIT"], true);
        check("GPL-3.0 AND MIT", &["MIT"], false);
        check("ISC AND (Apache-2.0 OR ISC)", &["ISC"], true);
        check("(MIT OR Apache-2.0) AND Unicode-3.0", &["MIT"], false);
        check("Apache-2.0 WITH LLVM-exception", &["Apache-2.0"], false);
        check("Apache-2.0 WITH LLVM-exception OR MIT", &["MIT"], true);
        check("", &["MIT"], false);
        check("MIT OR", &["MIT"], false);
        check("(MIT", &["MIT"], false);
        check("MIT MIT", &["MIT"], false);
    }

    #[test]
    fn names() {
        let names: Vec<_> = named("(MIT OR Apache-2.0 WITH LLVM-exception) AND ISC").into_iter().collect();
        assert_eq!(names, ["Apache-2.0 WITH LLVM-exception", "ISC", "MIT"]);
    }
}
