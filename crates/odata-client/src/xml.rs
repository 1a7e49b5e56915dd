//! A tiny, tolerant scanner of XML: tags, attributes, text. Skips what it does not understand and never fails.

use std::borrow::Cow;

/// One thing in the text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// `<name …>`, or `<name …/>` if it is empty.
    Start { tag: Tag<'a>, empty: bool },
    /// `</name>`
    End(&'a str),
    /// Text between tags, entities resolved.
    Text(Cow<'a, str>),
}

/// A start tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag<'a> {
    /// The name without its prefix.
    pub(crate) name: &'a str,
    attributes: &'a str,
}

impl<'a> Tag<'a> {
    /// The attributes with their prefixes, in order.
    pub(crate) fn attributes(self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        let mut rest = self.attributes;
        std::iter::from_fn(move || {
            let (name, tail) = rest.split_once('=')?;
            let tail = tail.trim_start();
            let quote = tail.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            let (value, after) = tail.get(1..)?.split_once(quote)?;
            rest = after;
            Some((name.trim(), unescape(value)))
        })
    }

    /// An attribute by its name, prefix included.
    pub(crate) fn attribute(self, name: &str) -> Option<Cow<'a, str>> {
        self.attributes().find_map(|(found, value)| (found == name).then_some(value))
    }
}

/// Reads a text from front to back.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    fn skip_past(&mut self, mark: &str) {
        self.rest = self.rest.split_once(mark).map_or("", |(_, after)| after);
    }

    fn tag(&mut self, inside: &'a str) -> Event<'a> {
        let end = tag_end(inside);
        let body = inside.get(..end).unwrap_or(inside);
        self.rest = inside.get(end + 1..).unwrap_or("");
        if let Some(name) = body.strip_prefix('/') {
            return Event::End(local(name.trim()));
        }
        let (body, empty) = body.strip_suffix('/').map_or((body, false), |body| (body, true));
        let split = body.find(char::is_whitespace).unwrap_or(body.len());
        let (name, attributes) = body.split_at(split);
        Event::Start { tag: Tag { name: local(name), attributes }, empty }
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        loop {
            let rest = self.rest;
            if rest.is_empty() {
                return None;
            }
            let Some(inside) = rest.strip_prefix('<') else {
                let end = rest.find('<').unwrap_or(rest.len());
                let (text, after) = rest.split_at(end);
                self.rest = after;
                return Some(Event::Text(unescape(text)));
            };
            if inside.starts_with("!--") {
                self.skip_past("-->");
            } else if let Some(data) = inside.strip_prefix("![CDATA[") {
                let (text, after) = data.split_once("]]>").unwrap_or((data, ""));
                self.rest = after;
                return Some(Event::Text(Cow::Borrowed(text)));
            } else if inside.starts_with(['?', '!']) {
                self.skip_past(">");
            } else {
                return Some(self.tag(inside));
            }
        }
    }
}

/// Where the tag ends: at the first `>` outside of quotes.
fn tag_end(inside: &str) -> usize {
    let mut quote = None;
    for (at, char) in inside.char_indices() {
        match (quote, char) {
            (None, '>') => return at,
            (None, '"' | '\'') => quote = Some(char),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    inside.len()
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        // No entity is longer; without the bound a text of ampersands would cost its square.
        let end = after.bytes().take(12).position(|byte| byte == b';');
        let parts = end.and_then(|end| Some((after.get(..end)?, after.get(end + 1..)?)));
        let entity = parts.and_then(|(name, tail)| Some((entity(name)?, tail)));
        match entity {
            Some((char, tail)) => {
                out.push(char);
                rest = tail;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_attributes_text_and_what_is_skipped() {
        let text = "<?xml version='1.0'?><!-- <no> --><m:a x=\"1 > 0\" s:y='&lt;&#65;'>t&amp;t<b/><![CDATA[<c>]]></m:a>";
        let events: Vec<_> = Scanner::new(text).collect();
        let Event::Start { tag, empty: false } = &events[0] else { panic!("{events:?}") };
        assert_eq!((tag.name, tag.attribute("x").as_deref()), ("a", Some("1 > 0")));
        assert_eq!(tag.attribute("s:y").as_deref(), Some("<A"));
        assert_eq!(events[1], Event::Text("t&t".into()));
        assert!(matches!(events[2], Event::Start { tag: Tag { name: "b", .. }, empty: true }));
        assert_eq!(events[3], Event::Text("<c>".into()));
        assert_eq!(events[4], Event::End("a"));
        assert_eq!(events.len(), 5);
    }

    #[test]
    fn broken_text_ends_quietly() {
        for text in
            ["<", "<a", "<a b", "<a b='", "</", "&", "&#x;", "<!--", "<![CDATA[", "<a =''>", "<\u{e9}>"]
        {
            for event in Scanner::new(text).take(10) {
                if let Event::Start { tag, .. } = event {
                    assert!(tag.attributes().count() < 5, "{text}");
                }
            }
        }
    }

    #[test]
    fn an_ampersand_that_is_no_entity_stays() {
        assert_eq!(unescape("A & B; C&nbsp;&#xZZ;"), "A & B; C&nbsp;&#xZZ;");
    }
}
