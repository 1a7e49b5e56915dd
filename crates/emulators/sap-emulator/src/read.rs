//! Reading: from a path to rows, from rows to JSON.

use crate::env::{Answer, Env};
use crate::meta::{Nav, ServiceMeta, SetMeta, find_set};
use crate::quirk::Quirk;
use crate::refusal::Refusal;
use crate::state::Draft;
use crate::target::{Options, Segment};
use crate::value::{Fields as _, Row, Val, offset_etag};
use erp_core::money::Currency;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a path leads.
#[derive(Debug)]
pub(crate) enum Resource {
    /// A whole set.
    Set(&'static SetMeta),
    /// What hangs below an entity under a to-many navigation.
    Children { parent: Arc<Row>, parent_set: &'static SetMeta, nav: &'static Nav },
    /// One entity.
    Entity(&'static SetMeta, Arc<Row>),
    /// A to-one navigation that leads nowhere.
    Nothing,
    /// A property of an entity; `raw` where `$value` follows.
    Property { set: &'static SetMeta, row: Arc<Row>, name: String, raw: bool },
    /// How many rows the inner resource has.
    Count(Box<Self>),
}

/// Follows a path.
pub(crate) fn resolve(
    draft: &Draft<'_>,
    service: &ServiceMeta,
    segments: &[Segment],
) -> Result<Resource, Refusal> {
    let (first, rest) = segments.split_first().ok_or_else(|| Refusal::not_found(""))?;
    let set = find_set(&first.name)
        .filter(|_| service.sets.contains(&first.name.as_str()))
        .ok_or_else(|| Refusal::not_found(&first.name))?;
    let mut here = match &first.key {
        Some(parts) => {
            let key = set.key(&set.key_of(parts)?);
            let row = draft.get(set.name, &key).ok_or_else(|| no_entity(set))?;
            Resource::Entity(set, row)
        }
        None => Resource::Set(set),
    };
    for segment in rest {
        here = step(draft, here, segment)?;
    }
    Ok(here)
}

pub(crate) fn no_entity(set: &SetMeta) -> Refusal {
    Refusal::new(404, "/IWBEP/CM_MGW_RT/020", format!("No entity with this key exists in '{}'", set.name))
}

fn step(draft: &Draft<'_>, here: Resource, segment: &Segment) -> Result<Resource, Refusal> {
    let name = segment.name.as_str();
    match here {
        Resource::Set(_) | Resource::Children { .. } if name == "$count" => {
            Ok(Resource::Count(Box::new(here)))
        }
        Resource::Property { set, row, name: property, raw: false } if name == "$value" => {
            Ok(Resource::Property { set, row, name: property, raw: true })
        }
        Resource::Entity(set, row) => {
            if let Some(nav) = set.nav(name) {
                let target = nav.target();
                if !nav.many {
                    let found = children(draft, nav, &row).into_iter().next();
                    return Ok(found.map_or(Resource::Nothing, |row| Resource::Entity(target, row)));
                }
                let Some(parts) = &segment.key else {
                    return Ok(Resource::Children { parent: row, parent_set: set, nav });
                };
                let key = target.key(&target.key_of(parts)?);
                let found = children(draft, nav, &row).into_iter().find(|child| target.key(child) == key);
                return found.map(|row| Resource::Entity(target, row)).ok_or_else(|| no_entity(target));
            }
            match set.prop(name) {
                Some(prop) => Ok(Resource::Property { set, row, name: prop.name.to_owned(), raw: false }),
                None => Err(Refusal::not_found(name)),
            }
        }
        _ => Err(Refusal::not_found(name)),
    }
}

/// The rows that a navigation leads to.
pub(crate) fn children(draft: &Draft<'_>, nav: &Nav, parent: &Row) -> Vec<Arc<Row>> {
    let target = nav.target();
    let wanted: BTreeMap<&str, &str> = nav.join.iter().map(|(from, to)| (*to, parent.text(from))).collect();
    if wanted.values().any(|text| text.is_empty()) && !nav.many {
        return Vec::new();
    }
    let prefix: Vec<&str> = target.keys().map_while(|prop| wanted.get(prop.name).copied()).collect();
    let rows = draft.scan(target.name, &prefix);
    let same = |row: &Row| {
        wanted.iter().all(|(name, text)| {
            target.prop(name).is_some_and(|prop| prop.inner(row.text(name)) == prop.inner(text))
        })
    };
    rows.into_iter().filter(|row| same(row)).collect()
}

/// A tree of names, for `$expand` and `$select`.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tree(BTreeMap<String, Self>);

impl Tree {
    pub(crate) fn of(paths: &[String]) -> Self {
        let mut tree = Self::default();
        for path in paths {
            let mut here = &mut tree;
            for name in path.split('/') {
                here = here.0.entry(name.to_owned()).or_default();
            }
        }
        tree
    }

    fn check_expand(&self, set: &SetMeta) -> Result<(), Refusal> {
        self.0.iter().try_for_each(|(name, below)| match set.nav(name) {
            Some(nav) => below.check_expand(nav.target()),
            None => Err(Refusal::new(
                400,
                "/IWBEP/CM_MGW_RT/028",
                format!("Invalid $expand: '{name}' is no navigation of '{}'", set.type_name()),
            )),
        })
    }

    fn check_select(&self, set: &SetMeta) -> Result<(), Refusal> {
        self.0.iter().try_for_each(|(name, below)| match (set.nav(name), name.as_str()) {
            (Some(nav), _) => below.check_select(nav.target()),
            (None, "*") => Ok(()),
            (None, _) if set.prop(name).is_some() && below.0.is_empty() => Ok(()),
            _ => Err(Refusal::new(
                400,
                "/IWBEP/CM_MGW_RT/029",
                format!("Invalid $select: '{name}' is no property of '{}'", set.type_name()),
            )
            .on(name)),
        })
    }
}

/// The version mark of a row, where its set has one.
pub(crate) fn etag(set: &SetMeta, row: &Row) -> Option<String> {
    let name = set.etag?;
    Some(match row.get(name) {
        Some(Val::Off(micros)) => offset_etag(*micros),
        _ => format!("W/\"'{}'\"", row.text(name)),
    })
}

/// Renders rows for one request.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) draft: &'a Draft<'a>,
    pub(crate) env: &'a Env<'a>,
}

impl View<'_> {
    fn root(&self, set: &SetMeta) -> String {
        let base = if self.env.has(Quirk::LinksForeignHost) {
            "https://vhs4hana.internal.example:44300"
        } else {
            &self.env.base
        };
        format!("{base}/sap/opu/odata/sap/{}", set.service)
    }

    /// The address of a row.
    pub(crate) fn uri(&self, set: &SetMeta, row: &Row) -> String {
        format!("{}/{}", self.root(set), set.uri_of(row))
    }

    /// The JSON of a row.
    pub(crate) fn entity(&self, set: &SetMeta, row: &Row, expand: &Tree, select: Option<&Tree>) -> Value {
        let uri = self.uri(set, row);
        let mut metadata =
            json!({"id": uri, "uri": uri, "type": format!("{}.{}", set.namespace, set.type_name())});
        if let Some(etag) = etag(set, row) {
            metadata["etag"] = json!(etag);
        }
        let mut out = Map::new();
        out.insert("__metadata".to_owned(), metadata);
        let all = select.is_none_or(|tree| tree.0.is_empty() || tree.0.contains_key("*"));
        let selected = |name: &str| all || select.is_some_and(|tree| tree.0.contains_key(name));
        let digits = set
            .props
            .iter()
            .filter(|prop| prop.currency)
            .find_map(|prop| Currency::new(row.text(prop.name)).ok())
            .map_or(2, Currency::minor_digits);
        let exponent = self.env.has(Quirk::DecimalExponent);
        for prop in set.props.iter().filter(|prop| selected(prop.name)) {
            out.insert(prop.name.to_owned(), prop.write(row.get(prop.name), digits, exponent));
        }
        for nav in set.navs.iter().filter(|nav| selected(nav.name)) {
            let value = match expand.0.get(nav.name) {
                None => json!({"__deferred": {"uri": format!("{uri}/{}", nav.name)}}),
                Some(below) => {
                    let narrowed = select.and_then(|tree| tree.0.get(nav.name)).filter(|_| !all);
                    self.expanded(nav, row, below, narrowed)
                }
            };
            out.insert(nav.name.to_owned(), value);
        }
        Value::Object(out)
    }

    fn expanded(&self, nav: &Nav, row: &Row, below: &Tree, select: Option<&Tree>) -> Value {
        let rows = children(self.draft, nav, row);
        let mut rendered = rows.iter().map(|row| self.entity(nav.target(), row, below, select));
        if nav.many {
            return json!({"results": rendered.collect::<Vec<_>>()});
        }
        rendered.next().unwrap_or(Value::Null)
    }

    /// Answers a GET.
    pub(crate) fn get(&self, resource: Resource, options: &Options, path: &str) -> Result<Answer, Refusal> {
        match resource {
            Resource::Set(_) | Resource::Children { .. } => self.collection(&resource, options, path),
            Resource::Count(inner) => {
                let (set, rows) = self.rows(&inner, options)?;
                let _ = set;
                Ok(Answer::text("text/plain;charset=utf-8", rows.len().to_string()))
            }
            Resource::Entity(set, row) => {
                if options.filter.is_some()
                    || options.top.is_some()
                    || !options.orderby.is_empty()
                    || options.count
                {
                    return Err(Refusal::bad("System query options of collections are not allowed here"));
                }
                let (expand, select) = trees(set, options)?;
                let mut answer =
                    Answer::json(200, json!({"d": self.entity(set, &row, &expand, select.as_ref())}));
                if let Some(etag) = etag(set, &row) {
                    answer = answer.with("etag", etag);
                }
                Ok(answer)
            }
            Resource::Nothing => Err(Refusal::new(404, "/IWBEP/CM_MGW_RT/020", "Resource not found")),
            Resource::Property { set, row, name, raw } => {
                let value = self.entity(set, &row, &Tree::default(), None)[&name].clone();
                if raw {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    return Ok(Answer::text("text/plain;charset=utf-8", text));
                }
                Ok(Answer::json(200, json!({"d": {name: value}})))
            }
        }
    }

    fn rows(
        &self,
        resource: &Resource,
        options: &Options,
    ) -> Result<(&'static SetMeta, Vec<Arc<Row>>), Refusal> {
        let (set, mut rows) = match resource {
            Resource::Set(set) => {
                if !set.addressable {
                    let text = format!("Entity set '{}' can only be reached by navigation", set.name);
                    return Err(Refusal::new(405, "/IWBEP/CM_MGW_RT/030", text));
                }
                let index = options
                    .filter
                    .as_ref()
                    .and_then(|filter| Draft::indexed(set.name, |name| filter.required(name)));
                let rows = match index {
                    Some((property, text)) => self.draft.scan_by(set.name, property, text),
                    None => self.draft.scan(set.name, &[]),
                };
                (*set, rows)
            }
            Resource::Children { parent, nav, .. } => (nav.target(), children(self.draft, nav, parent)),
            _ => return Err(Refusal::not_found("$count")),
        };
        if let Some(filter) = &options.filter {
            filter.check(set)?;
            rows.retain(|row| filter.holds(set, row));
        }
        Ok((set, rows))
    }

    fn collection(&self, resource: &Resource, options: &Options, path: &str) -> Result<Answer, Refusal> {
        let (set, mut rows) = self.rows(resource, options)?;
        let (expand, select) = trees(set, options)?;
        if !set.pageable && (options.top.is_some() || options.skip > 0) {
            return Err(Refusal::bad(format!("Entity set '{}' does not support paging", set.name)));
        }
        for (name, _) in &options.orderby {
            let sortable = set.prop(name).is_some_and(|prop| prop.sortable);
            if !sortable {
                let text = format!("Property '{name}' cannot be used in $orderby");
                return Err(Refusal::new(400, "/IWBEP/CM_MGW_RT/031", text).on(name));
            }
        }
        if !options.orderby.is_empty() {
            rows.sort_by(|a, b| {
                let orders = options.orderby.iter().filter_map(|(name, descending)| {
                    let order = set.prop(name)?.order(a.get(name), b.get(name));
                    Some(if *descending { order.reverse() } else { order })
                });
                orders.into_iter().find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
            });
        }
        let count = rows.len();
        let wanted = options.top.unwrap_or(usize::MAX).saturating_sub(options.skiptoken);
        let page = wanted.min(self.env.page_size);
        let from = options.skip.saturating_add(options.skiptoken);
        let left = rows.len().saturating_sub(from);
        let results: Vec<Value> = rows
            .iter()
            .skip(from)
            .take(page)
            .map(|row| self.entity(set, row, &expand, select.as_ref()))
            .collect();
        if self.env.has(Quirk::V1Envelope) && !options.count && left.min(wanted) <= page {
            return Ok(Answer::json(200, json!({"d": results})));
        }
        let mut d = json!({"results": results});
        if options.count {
            d["__count"] =
                if self.env.has(Quirk::CountNumber) { json!(count) } else { json!(count.to_string()) };
        }
        if left.min(wanted) > page {
            let mut query = options.raw.clone();
            query.push(format!("$skiptoken={}", options.skiptoken + page));
            d["__next"] = json!(format!("{}/{path}?{}", self.root(set), query.join("&")));
        }
        Ok(Answer::json(200, json!({"d": d})))
    }
}

fn trees(set: &SetMeta, options: &Options) -> Result<(Tree, Option<Tree>), Refusal> {
    let expand = Tree::of(&options.expand);
    expand.check_expand(set)?;
    let select = (!options.select.is_empty()).then(|| Tree::of(&options.select));
    if let Some(select) = &select {
        select.check_select(set)?;
    }
    Ok((expand, select))
}

/// The tree of what a create sent, so that the answer inlines exactly that.
pub(crate) fn sent(node: &crate::deep::Node) -> Tree {
    let mut tree = Tree::default();
    for (nav, nodes) in &node.children {
        let below = tree.0.entry(nav.name.to_owned()).or_default();
        nodes.iter().for_each(|node| below.0.extend(sent(node).0));
    }
    tree
}
