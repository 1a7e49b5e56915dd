//! Resource paths, keys and query options, parsed strictly.

use crate::filter::{self, Expr, quoted};
use crate::meta::{Kind, SetMeta};
use crate::refusal::Refusal;
use crate::value::{Literal, Row, Val, bare, decode, prefixed};
use std::collections::BTreeMap;

/// One segment of a path: a name, perhaps with a key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) key: Option<Vec<(Option<String>, Literal)>>,
}

/// Parses `A_SalesOrder('1')/to_Item`, still percent-encoded.
pub(crate) fn segments(path: &str) -> Result<Vec<Segment>, Refusal> {
    path.split('/').filter(|part| !part.is_empty()).map(segment).collect()
}

fn segment(raw: &str) -> Result<Segment, Refusal> {
    let malformed = || Refusal::bad("Malformed URI literal syntax in the resource path");
    let text = decode(raw, false).ok_or_else(malformed)?;
    let Some((name, rest)) = text.split_once('(') else {
        return Ok(Segment { name: text, key: None });
    };
    let inner = rest.strip_suffix(')').ok_or_else(malformed)?;
    let mut parts = Vec::new();
    let mut rest = inner;
    while !rest.is_empty() {
        let end = rest.find(['=', '\'', ',']).unwrap_or(rest.len());
        let named = rest[end..].starts_with('=').then(|| rest[..end].trim().to_owned());
        if named.is_some() {
            rest = &rest[end + 1..];
        }
        let (literal, after) = leading_literal(rest).ok_or_else(malformed)?;
        parts.push((named, literal));
        rest = match after.strip_prefix(',') {
            Some(more) if !more.is_empty() => more,
            None if after.is_empty() => after,
            _ => return Err(malformed()),
        };
    }
    Ok(Segment { name: name.to_owned(), key: Some(parts) })
}

fn leading_literal(text: &str) -> Option<(Literal, &str)> {
    let end = text.find(['\'', ',']).unwrap_or(text.len());
    let (word, after) = text.split_at(end);
    if after.starts_with('\'') {
        let (content, after) = quoted(after)?;
        let literal = if word.is_empty() { Literal::Text(content) } else { prefixed(word, &content)? };
        return Some((literal, after));
    }
    bare(word).map(|literal| (literal, after))
}

impl SetMeta {
    /// The key properties of a predicate: all of them, each once, of the right type.
    pub(crate) fn key_of(&self, parts: &[(Option<String>, Literal)]) -> Result<Row, Refusal> {
        let wrong = || {
            Refusal::new(
                400,
                "/IWBEP/CM_MGW_RT/018",
                format!("Invalid key predicate for type '{}'", self.type_name()),
            )
        };
        let keys: Vec<_> = self.keys().collect();
        if parts.len() != keys.len() {
            return Err(wrong());
        }
        let mut row = Row::new();
        for (name, literal) in parts {
            let prop = match name {
                Some(name) => self.prop(name).filter(|prop| prop.key).ok_or_else(wrong)?,
                None if keys.len() == 1 => keys[0],
                None => return Err(wrong()),
            };
            let value = prop.literal(literal).ok_or_else(wrong)?;
            if let (Kind::Str(Some(max)), Val::S(text)) = (prop.kind, &value)
                && text.chars().count() > max
            {
                return Err(wrong());
            }
            if row.insert(prop.name.to_owned(), value).is_some() {
                return Err(wrong());
            }
        }
        row.retain(|_, value| !value.is_initial());
        Ok(row)
    }

    /// The key of a row, as the tables are ordered by.
    pub(crate) fn key(&self, row: &Row) -> Vec<String> {
        self.keys().map(|prop| prop.key_part(row.get(prop.name))).collect()
    }

    /// `A_SalesOrderItem(SalesOrder='1',SalesOrderItem='10')`.
    pub(crate) fn uri_of(&self, row: &Row) -> String {
        let keys: Vec<_> = self.keys().collect();
        let literal = |prop: &&crate::meta::Prop| prop.url_literal(row.get(prop.name));
        match keys.as_slice() {
            [only] => format!("{}({})", self.name, literal(only)),
            many => {
                let parts: Vec<_> =
                    many.iter().map(|prop| format!("{}={}", prop.name, literal(prop))).collect();
                format!("{}({})", self.name, parts.join(","))
            }
        }
    }
}

/// The options after `?`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub(crate) filter: Option<Expr>,
    pub(crate) select: Vec<String>,
    pub(crate) expand: Vec<String>,
    pub(crate) orderby: Vec<(String, bool)>,
    pub(crate) top: Option<usize>,
    pub(crate) skip: usize,
    pub(crate) skiptoken: usize,
    pub(crate) count: bool,
    pub(crate) json: bool,
    /// What has no dollar sign: parameters of functions, `sap-client` and the like.
    pub(crate) custom: BTreeMap<String, String>,
    /// The options as sent, less the skip token.
    pub(crate) raw: Vec<String>,
}

impl Options {
    /// Parses a query, still percent-encoded.
    pub(crate) fn parse(query: &str) -> Result<Self, Refusal> {
        let mut options = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let malformed = || Refusal::bad("Malformed percent-encoding in the query");
            let name = decode(name, true).ok_or_else(malformed)?;
            let value = decode(value, true).ok_or_else(malformed)?;
            if name != "$skiptoken" {
                options.raw.push(pair.to_owned());
            }
            options.take(name, value)?;
        }
        Ok(options)
    }

    fn take(&mut self, name: String, value: String) -> Result<(), Refusal> {
        let wrong = || {
            Refusal::new(
                400,
                "/IWBEP/CM_MGW_RT/024",
                format!("Invalid value of system query option '{name}'"),
            )
        };
        let list = |value: &str| value.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>();
        let number = |value: &str| value.parse::<usize>().map_err(|_| wrong());
        match name.as_str() {
            "$filter" => self.filter = Some(filter::parse(&value)?),
            "$select" => self.select = list(&value),
            "$expand" => self.expand = list(&value),
            "$top" => self.top = Some(number(&value)?),
            "$skip" => self.skip = number(&value)?,
            "$skiptoken" => self.skiptoken = number(&value)?,
            "$orderby" => {
                for part in list(&value) {
                    let mut words = part.split_whitespace();
                    let property = words.next().ok_or_else(wrong)?.to_owned();
                    let descending = match words.next() {
                        None | Some("asc") => false,
                        Some("desc") => true,
                        Some(_) => return Err(wrong()),
                    };
                    self.orderby.push((property, descending));
                }
            }
            "$inlinecount" => match value.as_str() {
                "allpages" => self.count = true,
                "none" => self.count = false,
                _ => return Err(wrong()),
            },
            "$format" => match value.as_str() {
                "json" => self.json = true,
                _ => return Err(wrong()),
            },
            _ if name.starts_with('$') => {
                return Err(Refusal::new(
                    400,
                    "/IWBEP/CM_MGW_RT/019",
                    format!("The system query option '{name}' is invalid"),
                ));
            }
            _ => {
                self.custom.insert(name, value);
            }
        }
        Ok(())
    }
}

/// The literal of a function's parameter.
pub(crate) fn parameter(text: &str) -> Option<Literal> {
    leading_literal(text).filter(|(_, rest)| rest.is_empty()).map(|(literal, _)| literal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::set;
    use proptest::prelude::*;

    #[test]
    fn keys_named_and_bare() {
        let path = segments("A_SalesOrder('1')/to_Item").unwrap();
        assert_eq!(path.len(), 2);
        assert_eq!(path[1], Segment { name: "to_Item".to_owned(), key: None });
        let item = set("A_SalesOrderItem");
        let key = |text: &str| {
            let path = segments(text)?;
            item.key_of(path[0].key.as_deref().unwrap_or_default()).map(|row| item.key(&row))
        };
        let want = Ok(vec!["0000000001".to_owned(), "000010".to_owned()]);
        assert_eq!(key("A_SalesOrderItem(SalesOrder='1',SalesOrderItem='10')"), want);
        assert_eq!(key("A_SalesOrderItem(SalesOrderItem='000010',SalesOrder='0000000001')"), want);
        assert_eq!(key("A_SalesOrderItem(SalesOrder=%271%27%2CSalesOrderItem='10')"), want);
        for wrong in [
            "A_SalesOrderItem('1')",
            "A_SalesOrderItem(SalesOrder='1')",
            "A_SalesOrderItem(SalesOrder='1',SalesOrder='1')",
            "A_SalesOrderItem(SalesOrder=1,SalesOrderItem='10')",
            "A_SalesOrderItem(SalesOrder='1',SalesOrderItem='10'",
            "A_SalesOrderItem(SalesOrder='1',SalesOrderItem='10',)",
            "A_SalesOrderItem(SalesOrder='1',Nonsense='10')",
            "A_SalesOrderItem(SalesOrder='12345678901',SalesOrderItem='10')",
        ] {
            assert_eq!(key(wrong).map_err(|refusal| refusal.status), Err(400), "{wrong}");
        }
    }

    #[test]
    fn a_slash_or_quote_inside_a_key_is_text() {
        let path = segments("A_Product('A%2FB''(C)%20%C3%BC')").unwrap();
        assert_eq!(path[0].key.as_ref().unwrap()[0].1, Literal::Text("A/B'(C) ü".to_owned()));
    }

    #[test]
    fn options_are_known_or_refused() {
        let options =
            Options::parse("$top=2&$orderby=SalesOrder%20desc,CreationDate&sap-client=100").unwrap();
        assert_eq!(options.top, Some(2));
        assert_eq!(options.orderby, [("SalesOrder".to_owned(), true), ("CreationDate".to_owned(), false)]);
        assert_eq!(options.custom["sap-client"], "100");
        for wrong in [
            "$top=-1",
            "$top=x",
            "$nonsense=1",
            "$format=xml",
            "$inlinecount=x",
            "$filter=%zz",
            "$count=true",
        ] {
            assert_eq!(Options::parse(wrong).unwrap_err().status, 400, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}") {
            let _ = (segments(&text), Options::parse(&text), parameter(&text));
        }
    }
}
