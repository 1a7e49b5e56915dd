use super::{Result, SqlError};
use erp_core::Decimal;

/// The longest query that is read.
const TEXT_MAX: usize = 1 << 20;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name or a word, in small letters.
    Word(String),
    /// A name in double quotes.
    Quoted(String),
    Text(String),
    Number(Decimal),
    Param,
    Sign(&'static str),
}

/// Longer signs first, so that `<=` is not `<` and `=`.
const SIGNS: [&str; 18] =
    ["||", "<>", "<=", ">=", "!=", "^=", "(", ")", ",", ".", "*", "+", "-", "/", "=", "<", ">", ";"];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>> {
    if text.len() > TEXT_MAX {
        return Err(SqlError::new("The query is too long."));
    }
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = skip_blanks(rest)?;
        let Some(first) = rest.chars().next() else { return Ok(found) };
        let (token, length) = match first {
            '\'' => text_literal(rest)?,
            '"' => {
                let end = rest.get(1..).and_then(|inner| inner.find('"'));
                let end = end.ok_or_else(|| SqlError::new("A quoted name has no end."))?;
                (Token::Quoted(rest.get(1..=end).unwrap_or_default().to_lowercase()), end + 2)
            }
            '?' => (Token::Param, 1),
            '0'..='9' => number(rest)?,
            'a'..='z' | 'A'..='Z' | '_' => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$' && c != '#');
                let end = end.unwrap_or(rest.len());
                (Token::Word(rest.get(..end).unwrap_or_default().to_lowercase()), end)
            }
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let sign = sign.ok_or_else(|| SqlError::new(format!("Unexpected character {first:?}.")))?;
                (Token::Sign(sign), sign.len())
            }
        };
        found.push(token);
        rest = rest.get(length..).unwrap_or_default();
    }
}

fn skip_blanks(mut rest: &str) -> Result<&str> {
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            let (_, after) =
                comment.split_once("*/").ok_or_else(|| SqlError::new("A comment has no end."))?;
            rest = after;
        } else {
            return Ok(rest);
        }
    }
}

/// `'it''s'`.
fn text_literal(rest: &str) -> Result<(Token, usize)> {
    let mut text = String::new();
    let mut at = 1;
    loop {
        let inner = rest.get(at..).unwrap_or_default();
        let end = inner.find('\'').ok_or_else(|| SqlError::new("A text has no end."))?;
        text.push_str(inner.get(..end).unwrap_or_default());
        at += end + 1;
        if rest.get(at..).is_some_and(|after| after.starts_with('\'')) {
            text.push('\'');
            at += 1;
        } else {
            return Ok((Token::Text(text), at));
        }
    }
}

fn number(rest: &str) -> Result<(Token, usize)> {
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let text = rest.get(..end).unwrap_or_default();
    let value = text.parse().map_err(|_| SqlError::new(format!("{text} is no number.")))?;
    Ok((Token::Number(value), end))
}
