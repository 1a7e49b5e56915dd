//! The `fields=` filter of answers, with its trap.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What is asked for: names, each with what is asked for below it.
#[derive(Debug, Default, PartialEq)]
struct Wanted(BTreeMap<String, Wanted>);

/// Filters an answer. A filter with any character outside `[A-Za-z0-9_\[\],]` answers `[]`, with status 200, as the
/// product does; so does one that selects nothing if `strict`.
pub(crate) fn filter(body: Value, fields: &str, strict: bool) -> Value {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '[' | ']' | ',');
    let parsed = if fields.chars().all(allowed) { parse(fields) } else { None };
    let Some(wanted) = parsed else { return Value::Array(Vec::new()) };
    let filtered = apply(&wanted, body);
    let empty = matches!(&filtered, Value::Object(map) if map.is_empty());
    if strict && empty { Value::Array(Vec::new()) } else { filtered }
}

fn parse(fields: &str) -> Option<Wanted> {
    let mut stack = vec![Wanted::default()];
    let mut names: Vec<String> = Vec::new();
    let mut name = String::new();
    for c in fields.chars() {
        match c {
            '[' => {
                names.push(std::mem::take(&mut name));
                stack.push(Wanted::default());
            }
            ']' => {
                flush(&mut stack, &mut name)?;
                let inner = stack.pop()?;
                stack.last_mut()?.0.insert(names.pop()?, inner);
            }
            ',' => flush(&mut stack, &mut name)?,
            c => name.push(c),
        }
    }
    flush(&mut stack, &mut name)?;
    (stack.len() == 1).then(|| stack.pop()).flatten()
}

fn flush(stack: &mut [Wanted], name: &mut String) -> Option<()> {
    let name = std::mem::take(name);
    if !name.is_empty() {
        stack.last_mut()?.0.entry(name).or_default();
    }
    Some(())
}

fn apply(wanted: &Wanted, value: Value) -> Value {
    if wanted.0.is_empty() {
        return value;
    }
    match value {
        Value::Array(items) => items.into_iter().map(|item| apply(wanted, item)).collect(),
        Value::Object(map) => Value::Object(
            map.into_iter()
                .filter_map(|(key, item)| Some((key.clone(), apply(wanted.0.get(&key)?, item))))
                .collect::<Map<_, _>>(),
        ),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn brackets_nest_and_a_blank_empties_everything() {
        let body = json!({"items":[{"sku":"A","name":"x","o":{"p":1,"q":2}},{"sku":"B"}],"total_count":2});
        assert_eq!(
            filter(body.clone(), "items[sku,o[q]],total_count", false),
            json!({"items":[{"sku":"A","o":{"q":2}},{"sku":"B"}],"total_count":2})
        );
        assert_eq!(filter(body.clone(), "items[sku], total_count", false), json!([]));
        assert_eq!(filter(body.clone(), "items[sku", false), json!([]));
        assert_eq!(filter(body.clone(), "nothing", false), json!({}));
        assert_eq!(filter(body, "nothing", true), json!([]));
    }
}
