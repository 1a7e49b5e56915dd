//! A small reader of `$metadata`: what a tenant's own service lets us write, and how long.

use crate::xml::{Event, Scanner, Tag};
use erp_core::error::{Error, Result};
use std::collections::BTreeMap;

/// How many properties one document may have.
const PROPERTIES_MAX: usize = 200_000;

/// What a service says about its entities.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Metadata {
    /// The types by their names without namespace.
    pub types: BTreeMap<String, EntityType>,
    /// Each set's type, without namespace.
    pub sets: BTreeMap<String, EntitySet>,
}

/// An entity set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is an annotation of its own")]
pub struct EntitySet {
    /// Its type, without namespace.
    pub entity_type: String,
    /// Whether entities can be created.
    pub creatable: bool,
    /// Whether entities can be changed.
    pub updatable: bool,
    /// Whether entities can be deleted.
    pub deletable: bool,
    /// Whether it can be read by itself, and not only by navigation.
    pub addressable: bool,
}

/// An entity type.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct EntityType {
    /// The names of the key's properties, in order.
    pub key: Vec<String>,
    /// The properties by name.
    pub properties: BTreeMap<String, Property>,
    /// The names of the navigations.
    pub navigations: Vec<String>,
}

/// A property.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is an annotation of its own")]
pub struct Property {
    /// `Edm.String` and so on.
    pub edm_type: String,
    /// The longest text, in characters.
    pub max_length: Option<u32>,
    /// The digits of a decimal.
    pub precision: Option<u32>,
    /// The digits of a decimal after the point.
    pub scale: Option<u32>,
    /// Whether it may be null.
    pub nullable: bool,
    /// Whether it can be sent on create.
    pub creatable: bool,
    /// Whether it can be sent on update.
    pub updatable: bool,
    /// Whether it can be filtered by.
    pub filterable: bool,
    /// Whether changes need `If-Match` (`ConcurrencyMode="Fixed"`).
    pub concurrency: bool,
}

impl Metadata {
    /// Reads a document.
    ///
    /// # Errors
    /// `Malformed` if it holds no entity type, or more properties than any service has.
    pub fn parse(document: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(document);
        let mut metadata = Self::default();
        let mut current: Option<(String, EntityType)> = None;
        let mut in_key = false;
        let mut seen = 0usize;
        for event in Scanner::new(&text) {
            match event {
                Event::Start { tag, empty } => {
                    seen += usize::from(tag.name == "Property");
                    if seen > PROPERTIES_MAX {
                        return Err(Error::malformed("the metadata has too many properties"));
                    }
                    in_key = in_key || (tag.name == "Key" && !empty);
                    match (tag.name, tag.attribute("Name")) {
                        ("EntityType", Some(name)) => {
                            let begun = (name.into_owned(), EntityType::default());
                            metadata.keep(current.replace(begun));
                            if empty {
                                metadata.keep(current.take());
                            }
                        }
                        ("EntitySet", Some(name)) => {
                            metadata.sets.insert(name.into_owned(), EntitySet::read(tag));
                        }
                        (_, Some(name)) => {
                            if let Some((_, entity)) = &mut current {
                                entity.take(tag, name.into_owned(), in_key);
                            }
                        }
                        _ => {}
                    }
                }
                Event::End("Key") => in_key = false,
                Event::End("EntityType") => metadata.keep(current.take()),
                Event::End(_) | Event::Text(_) => {}
            }
        }
        metadata.keep(current);
        if metadata.types.is_empty() {
            return Err(Error::malformed("the metadata holds no entity type"));
        }
        Ok(metadata)
    }

    /// The type of a set.
    pub fn type_of_set(&self, set: &str) -> Option<&EntityType> {
        self.types.get(&self.sets.get(set)?.entity_type)
    }

    /// A property of a set.
    pub fn property(&self, set: &str, property: &str) -> Option<&Property> {
        self.type_of_set(set)?.properties.get(property)
    }

    fn keep(&mut self, finished: Option<(String, EntityType)>) {
        self.types.extend(finished);
    }
}

impl EntityType {
    /// Whether changes of this type need `If-Match`.
    pub fn needs_if_match(&self) -> bool {
        self.properties.values().any(|property| property.concurrency)
    }

    fn take(&mut self, tag: Tag<'_>, name: String, in_key: bool) {
        match tag.name {
            "PropertyRef" if in_key => self.key.push(name),
            "Property" => {
                self.properties.insert(name, Property::read(tag));
            }
            "NavigationProperty" => self.navigations.push(name),
            _ => {}
        }
    }
}

impl EntitySet {
    fn read(tag: Tag<'_>) -> Self {
        let full = tag.attribute("EntityType").unwrap_or_default();
        Self {
            entity_type: full.rsplit('.').next().unwrap_or_default().to_owned(),
            creatable: allowed(tag, "creatable"),
            updatable: allowed(tag, "updatable"),
            deletable: allowed(tag, "deletable"),
            addressable: allowed(tag, "addressable"),
        }
    }
}

impl Property {
    fn read(tag: Tag<'_>) -> Self {
        let number = |name: &str| tag.attribute(name).and_then(|value| value.parse().ok());
        Self {
            edm_type: tag.attribute("Type").unwrap_or_default().into_owned(),
            max_length: number("MaxLength"),
            precision: number("Precision"),
            scale: number("Scale"),
            nullable: tag.attribute("Nullable").as_deref() != Some("false"),
            creatable: allowed(tag, "creatable"),
            updatable: allowed(tag, "updatable"),
            filterable: allowed(tag, "filterable"),
            concurrency: tag.attribute("ConcurrencyMode").as_deref() == Some("Fixed"),
        }
    }
}

/// A vendor's annotation that is true unless it says otherwise, whatever its prefix.
fn allowed(tag: Tag<'_>, name: &str) -> bool {
    !tag.attributes().any(|(found, value)| {
        found.rsplit_once(':').is_some_and(|(_, local)| local == name) && value == "false"
    })
}

#[cfg(test)]
mod tests;
