//! The little XML that SOAP needs: a tree that is written with everything escaped, and read with everything bounded.

use erp_core::error::{Error, Result};
use quick_xml::escape::escape;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer};
use std::borrow::Cow;
use std::fmt;
use std::io;

/// How deep an answer may be nested.
const DEPTH_MAX: usize = 64;
/// How many elements an answer may have.
const ELEMENTS_MAX: usize = 500_000;
/// How many attributes an element may have; each is compared with all before it.
const ATTRIBUTES_MAX: usize = 64;

/// An element: what is written has names that are constants, so that no value can become markup.
///
/// `Debug` shows the name only, because elements hold personal data and signatures.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Element {
    name: Cow<'static, str>,
    attributes: Vec<(Cow<'static, str>, String)>,
    text: String,
    children: Vec<Self>,
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.name)
    }
}

impl Element {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), ..Self::default() }
    }

    /// An element that holds a text.
    pub(super) fn of(name: &'static str, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::new(name) }
    }

    pub(super) fn attr(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((Cow::Borrowed(name), value.into()));
        self
    }

    pub(super) fn with(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    pub(super) fn push(&mut self, child: Self) {
        self.children.push(child);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// Its XML.
    pub(super) fn to_xml(&self) -> Result<Vec<u8>> {
        let mut writer = Writer::new(Vec::new());
        self.write(&mut writer).map_err(|e| Error::unexpected("XML cannot be written").with_source(e))?;
        Ok(writer.into_inner())
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let mut start = BytesStart::new(self.name.as_ref());
        for (name, value) in &self.attributes {
            start.push_attribute((name.as_ref(), representable(value).as_ref()));
        }
        if self.children.is_empty() && self.text.is_empty() {
            return writer.write_event(Event::Empty(start));
        }
        writer.write_event(Event::Start(start))?;
        if !self.text.is_empty() {
            let escaped = escape(representable(&self.text)).replace('\r', "&#13;");
            writer.write_event(Event::Text(BytesText::from_escaped(escaped)))?;
        }
        for child in &self.children {
            child.write(writer)?;
        }
        writer.write_event(Event::End(BytesEnd::new(self.name.as_ref())))
    }

    /// Reads a document.
    ///
    /// # Errors
    /// `Malformed` if it is no XML, is nested or long beyond all bounds, or defines entities of its own.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| misfit("is no text in UTF-8"))?;
        let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
        let (mut open, mut root, mut count) = (Vec::<Self>::new(), None, 0_usize);
        loop {
            let event = reader.read_event().map_err(|_| misfit("is no XML"))?;
            let closed = match event {
                Event::Start(start) => {
                    open.push(Self::read(&start)?);
                    None
                }
                Event::Empty(start) => Some(Self::read(&start)?),
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
                    let character = match reference.resolve_char_ref() {
                        Ok(Some(character)) => character,
                        Ok(None) => predefined(&reference.into_inner())?,
                        Err(_) => return Err(misfit("refers to a character that there is not")),
                    };
                    if let Some(last) = open.last_mut() {
                        last.text.push(character);
                    }
                    None
                }
                Event::DocType(_) => return Err(misfit("brings a document type, which SOAP forbids")),
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => None,
            };
            if let Some(element) = closed {
                count += 1;
                if count > ELEMENTS_MAX {
                    return Err(misfit("has more elements than are read"));
                }
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None if root.is_none() => root = Some(element),
                    None => return Err(misfit("has two roots")),
                }
            }
            if open.len() > DEPTH_MAX {
                return Err(misfit("is nested too deep"));
            }
        }
        match root {
            Some(root) if open.is_empty() => Ok(root),
            _ => Err(misfit("ends before its end")),
        }
    }

    fn read(start: &BytesStart<'_>) -> Result<Self> {
        let mut element = Self { name: Cow::Owned(start.name().0.to_owned()), ..Self::default() };
        for attribute in start.attributes() {
            if element.attributes.len() == ATTRIBUTES_MAX {
                return Err(misfit("has more attributes than are read"));
            }
            let attribute = attribute.map_err(|_| misfit("has an attribute that cannot be read"))?;
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(|_| misfit("has an attribute that cannot be read"))?;
            element.attributes.push((Cow::Owned(attribute.key.0.to_owned()), value.into_owned()));
        }
        Ok(element)
    }

    /// Its name without the prefix, which servers choose as they like.
    pub(super) fn local(&self) -> &str {
        local(&self.name)
    }

    /// The attribute of this name, whatever its prefix.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| local(known) == name).map(|(_, value)| value.as_str())
    }

    /// What it says, without blanks around it.
    pub(super) fn text(&self) -> &str {
        self.text.trim()
    }

    pub(super) fn children(&self) -> impl Iterator<Item = &Self> {
        self.children.iter()
    }

    /// The child of this name, and nothing of the rest.
    pub(super) fn take(&mut self, name: &str) -> Option<Self> {
        let at = self.children.iter().position(|child| child.local() == name)?;
        Some(self.children.swap_remove(at))
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.local() == name)
    }

    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.local() == name)
    }

    /// What a child says, if it is there and says something.
    pub(super) fn say(&self, name: &str) -> Option<&str> {
        self.child(name).map(Self::text).filter(|text| !text.is_empty())
    }
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

fn predefined(name: &str) -> Result<char> {
    Ok(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return Err(misfit("refers to an entity that there is not")),
    })
}

/// XML cannot hold most control characters, not even as references: each becomes the sign for "not representable".
fn representable(text: &str) -> Cow<'_, str> {
    let bad = |c: char| (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}');
    if text.contains(bad) { Cow::Owned(text.replace(bad, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

fn misfit(what: &str) -> Error {
    Error::malformed(format!("NetSuite's answer {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prefixes_entities_and_cdata_are_read() {
        let text = "\u{feff}<?xml version=\"1.0\"?><!-- <no> --><s:a x=\"1 &lt; 2\" y:z='&#65;'>t&amp;t<b/>\n<c:d><![CDATA[<e>]]></c:d></s:a>";
        let element = Element::parse(text.as_bytes()).unwrap();
        assert_eq!((element.local(), element.text()), ("a", "t&t"));
        assert_eq!((element.attribute("x"), element.attribute("z")), (Some("1 < 2"), Some("A")));
        assert_eq!((element.say("d"), element.say("b"), element.say("gone")), (Some("<e>"), None, None));
    }

    #[test]
    fn what_is_no_xml_or_too_much_of_it_is_refused() {
        let deep = "<a>".repeat(70) + &"</a>".repeat(70);
        let wide = format!("<a>{}</a>", "<b/>".repeat(ELEMENTS_MAX + 1));
        let names: Vec<String> = (0..300).map(|n| format!("x{n}=''")).collect();
        let decked = format!("<a {}/>", names.join(" "));
        for (text, says) in [
            ("", "ends"),
            ("<a>", "ends"),
            ("<a></b>", "no XML"),
            ("<a/><b/>", "two roots"),
            ("<a>&boom;</a>", "entity"),
            ("<!DOCTYPE a [<!ENTITY boom \"x\">]><a>&boom;</a>", "document type"),
            ("<a x='1' x='2'/>", "attribute"),
            (&deep, "deep"),
            (&wide, "more elements"),
            (&decked, "attributes"),
        ] {
            let error = Element::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.code(), "erp.malformed");
            assert!(error.message().contains(says), "{error}");
        }
        assert!(Element::parse(b"<a>\xff</a>").is_err());
    }

    proptest! {
        /// Whatever a value holds, it comes back as that value and as no markup.
        #[test]
        fn values_come_back_as_they_went(text in "\\PC*", id in "\\PC*") {
            let written = Element::new("a").attr("b", id.as_str()).with(Element::of("c", text.as_str()));
            let read = Element::parse(&written.to_xml().unwrap()).unwrap();
            prop_assert_eq!(read.attribute("b"), Some(id.as_str()));
            prop_assert_eq!(read.children().count(), 1);
            prop_assert_eq!(read.child("c").map(|c| c.text.as_str()), Some(text.as_str()));
        }

        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Element::parse(&bytes);
        }
    }

    #[test]
    fn line_ends_stay_and_control_characters_are_told() {
        let written = Element::of("a", "x\r\ny\tz\u{0}\u{b}]]>").to_xml().unwrap();
        let read = Element::parse(&written).unwrap();
        assert_eq!(read.text, "x\r\ny\tz\u{fffd}\u{fffd}]]>");
    }
}
