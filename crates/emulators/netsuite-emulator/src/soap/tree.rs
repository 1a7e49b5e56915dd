//! A request's XML as a tree in which prefixes mean what they are bound to.

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{QName, ResolveResult};
use std::fmt::Write as _;

const DEPTH_MAX: usize = 64;

/// A name and the namespace that it is in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Name {
    pub(super) space: String,
    pub(super) local: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Node {
    pub(super) name: Name,
    /// `xsi:type`.
    pub(super) kind: Option<Name>,
    attributes: Vec<(String, String)>,
    text: String,
    pub(super) children: Vec<Self>,
}

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

fn named(space: &ResolveResult<'_>, local: &str) -> Result<Name, String> {
    let space = match space {
        ResolveResult::Bound(space) => space.0.to_owned(),
        ResolveResult::Unbound => String::new(),
        ResolveResult::Unknown(prefix) => return Err(format!("the prefix {prefix} is not bound")),
    };
    Ok(Name { space, local: local.to_owned() })
}

impl Node {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
        let mut reader = NsReader::from_str(text);
        let (mut open, mut root) = (Vec::<Self>::new(), None);
        loop {
            let event = reader.read_event().map_err(|e| e.to_string())?;
            let closed = match event {
                Event::Start(start) => {
                    open.push(Self::read(&reader, &start)?);
                    None
                }
                Event::Empty(start) => Some(Self::read(&reader, &start)?),
                Event::End(_) => open.pop(),
                Event::Text(text) => {
                    if let Some(last) = open.last_mut() {
                        last.text.push_str(&text.xml10_content());
                    }
                    None
                }
                Event::CData(text) => {
                    if let Some(last) = open.last_mut() {
                        last.text.push_str(&text.xml10_content());
                    }
                    None
                }
                Event::GeneralRef(reference) => {
                    let found = match reference.resolve_char_ref().map_err(|e| e.to_string())? {
                        Some(character) => character,
                        None => match &*reference.into_inner() {
                            "amp" => '&',
                            "lt" => '<',
                            "gt" => '>',
                            "quot" => '"',
                            "apos" => '\'',
                            other => return Err(format!("the entity {other} is not declared")),
                        },
                    };
                    if let Some(last) = open.last_mut() {
                        last.text.push(found);
                    }
                    None
                }
                Event::DocType(_) => return Err("a document type is not allowed".to_owned()),
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => None,
            };
            if open.len() > DEPTH_MAX {
                return Err("nested too deep".to_owned());
            }
            match (closed, open.last_mut()) {
                (Some(node), Some(parent)) => parent.children.push(node),
                (Some(node), None) if root.is_none() => root = Some(node),
                (Some(_), None) => return Err("two roots".to_owned()),
                (None, _) => {}
            }
        }
        root.filter(|_| open.is_empty()).ok_or_else(|| "premature end of file".to_owned())
    }

    fn read(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Self, String> {
        let (space, local) = reader.resolver().resolve_element(start.name());
        let mut node = Self { name: named(&space, local.into_inner())?, ..Self::default() };
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|e| e.to_string())?;
            let value =
                attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(|e| e.to_string())?;
            let (space, local) = reader.resolver().resolve_attribute(attribute.key);
            let name = named(&space, local.into_inner())?;
            if name.space == XSI && name.local == "type" {
                let (space, local) = reader.resolver().resolve_element(QName(&value));
                node.kind = Some(named(&space, local.into_inner())?);
            } else if name.space.is_empty() {
                node.attributes.push((name.local, value.into_owned()));
            }
        }
        Ok(node)
    }

    pub(super) fn is(&self, space: &str, local: &str) -> bool {
        self.name.space == space && self.name.local == local
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> &str {
        self.text.trim()
    }

    pub(super) fn child(&self, space: &str, local: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is(space, local))
    }
}

/// Text made safe for XML.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            control if control < ' ' => drop(write!(safe, "&#{};", u32::from(control))),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_mean_what_they_are_bound_to() {
        let text = "<a xmlns='urn:x' xmlns:q='urn:y' xmlns:i='http://www.w3.org/2001/XMLSchema-instance'><q:b i:type='q:T' c='1 &lt; 2'>t&amp;&#65;<![CDATA[<]]></q:b></a>";
        let root = Node::parse(text.as_bytes()).unwrap();
        assert!(root.is("urn:x", "a"));
        let inner = root.child("urn:y", "b").unwrap();
        assert_eq!(inner.kind, Some(Name { space: "urn:y".to_owned(), local: "T".to_owned() }));
        assert_eq!((inner.attribute("c"), inner.text()), (Some("1 < 2"), "t&A<"));
        for bad in ["", "<a>", "<a></b>", "<p:a/>", "<!DOCTYPE a><a/>", "<a>&x;</a>", "<a/><a/>"] {
            assert!(Node::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
