use super::{Result, SqlError, Value};
use erp_core::Decimal;
use erp_core::time::Timestamp;
use rust_decimal::RoundingStrategy;

/// The functions that are known, with the fewest and most arguments.
const KNOWN: [(&str, usize, usize); 25] = [
    ("upper", 1, 1),
    ("lower", 1, 1),
    ("trim", 1, 1),
    ("ltrim", 1, 1),
    ("rtrim", 1, 1),
    ("substr", 2, 3),
    ("length", 1, 1),
    ("instr", 2, 2),
    ("replace", 3, 3),
    ("nvl", 2, 2),
    ("nvl2", 3, 3),
    ("coalesce", 1, 20),
    ("nullif", 2, 2),
    ("decode", 3, 60),
    ("round", 1, 2),
    ("trunc", 1, 1),
    ("abs", 1, 1),
    ("mod", 2, 2),
    ("greatest", 1, 20),
    ("least", 1, 20),
    ("to_char", 1, 2),
    ("to_date", 2, 2),
    ("to_timestamp", 2, 2),
    ("to_number", 1, 1),
    ("sysdate", 0, 0),
];

pub(super) fn check(name: &str, arguments: usize) -> Result<()> {
    match KNOWN.iter().find(|(known, ..)| *known == name) {
        Some((_, least, most)) if (*least..=*most).contains(&arguments) => Ok(()),
        Some(_) => Err(SqlError::new(format!("Wrong number of arguments of {}.", name.to_uppercase()))),
        None => Err(SqlError::new(format!("Unknown function {}.", name.to_uppercase()))),
    }
}

pub(super) fn call(name: &str, arguments: &[Value], now: Timestamp) -> Result<Value> {
    let at = |index: usize| arguments.get(index).unwrap_or(&Value::Null);
    let text = |index: usize| at(index).shown();
    Ok(match name {
        "sysdate" => Value::Moment(now),
        "nvl" => if at(0).is_null() { at(1) } else { at(0) }.clone(),
        "nvl2" => if at(0).is_null() { at(2) } else { at(1) }.clone(),
        "coalesce" => arguments.iter().find(|value| !value.is_null()).cloned().unwrap_or(Value::Null),
        "nullif" => {
            let same = at(0).compare(at(1))? == Some(std::cmp::Ordering::Equal);
            if same { Value::Null } else { at(0).clone() }
        }
        "decode" => decode(arguments)?,
        "greatest" | "least" => extreme(name, arguments)?,
        "to_char" if matches!(at(0), Value::Moment(_)) => to_char(at(0), &text(1).unwrap_or_default())?,
        "to_char" => text(0).map_or(Value::Null, Value::Text),
        "to_date" | "to_timestamp" => match (text(0), text(1)) {
            (Some(text), Some(mask)) => Value::Moment(to_date(&text, &mask)?),
            _ => Value::Null,
        },
        "abs" | "round" | "trunc" | "to_number" | "mod" => numeric(name, at(0), at(1))?,
        _ => textual(name, &[text(0), text(1), text(2)])?,
    })
}

fn decode(arguments: &[Value]) -> Result<Value> {
    let Some((subject, rest)) = arguments.split_first() else { return Ok(Value::Null) };
    for pair in rest.chunks(2) {
        match pair {
            [key, value] => {
                let both_null = subject.is_null() && key.is_null();
                if both_null || subject.compare(key)? == Some(std::cmp::Ordering::Equal) {
                    return Ok(value.clone());
                }
            }
            [otherwise] => return Ok(otherwise.clone()),
            _ => {}
        }
    }
    Ok(Value::Null)
}

fn extreme(name: &str, arguments: &[Value]) -> Result<Value> {
    let mut best: Option<&Value> = None;
    for value in arguments {
        if value.is_null() {
            return Ok(Value::Null);
        }
        let better = match best {
            None => true,
            Some(best) => {
                value.compare(best)?.is_some_and(|o| if name == "least" { o.is_lt() } else { o.is_gt() })
            }
        };
        if better {
            best = Some(value);
        }
    }
    Ok(best.cloned().unwrap_or(Value::Null))
}

fn numeric(name: &str, value: &Value, other: &Value) -> Result<Value> {
    if let (Value::Moment(at), "trunc") = (value, name) {
        return Ok(Value::Moment(to_date(at.to_utc_text().get(..10).unwrap_or_default(), "YYYY-MM-DD")?));
    }
    let Some(number) = value.number()? else { return Ok(Value::Null) };
    let places =
        || other.number().map(|places| places.and_then(|p| p.to_string().parse().ok()).unwrap_or(0u32));
    Ok(Value::Number(match name {
        "abs" => number.abs(),
        "trunc" => number.trunc(),
        "round" => number.round_dp_with_strategy(places()?, RoundingStrategy::MidpointAwayFromZero),
        "mod" => match other.number()? {
            Some(by) if !by.is_zero() => number % by,
            _ => number,
        },
        _ => number,
    }))
}

fn textual(name: &str, texts: &[Option<String>; 3]) -> Result<Value> {
    let [Some(text), second, third] = texts else { return Ok(Value::Null) };
    let result = match name {
        "upper" => text.to_uppercase(),
        "lower" => text.to_lowercase(),
        "trim" => text.trim().to_owned(),
        "ltrim" => text.trim_start().to_owned(),
        "rtrim" => text.trim_end().to_owned(),
        "replace" => {
            text.replace(second.as_deref().unwrap_or_default(), third.as_deref().unwrap_or_default())
        }
        "length" => return Ok(Value::Number(Decimal::from(text.chars().count()))),
        "instr" => {
            let at = second
                .as_deref()
                .and_then(|part| text.find(part))
                .map_or(0, |byte| text.get(..byte).unwrap_or_default().chars().count() + 1);
            return Ok(Value::Number(Decimal::from(at)));
        }
        "substr" => {
            let whole = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<i64>().ok());
            let (start, length) = (whole(second).unwrap_or(1), whole(third));
            let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
            let skip = if start < 0 { (count + start).max(0) } else { (start - 1).max(0) };
            let take = length.unwrap_or(count).max(0);
            let (skip, take) = (usize::try_from(skip).unwrap_or(0), usize::try_from(take).unwrap_or(0));
            text.chars().skip(skip).take(take).collect()
        }
        other => return Err(SqlError::new(format!("Unknown function {}.", other.to_uppercase()))),
    };
    Ok(Value::text(&result))
}

/// The parts of a mask that are read and written, longest first.
const PARTS: [(&str, usize); 6] = [("HH24", 2), ("YYYY", 4), ("MM", 2), ("DD", 2), ("MI", 2), ("SS", 2)];

fn bad_mask() -> SqlError {
    SqlError::new("The date format is not recognised.")
}

fn to_char(value: &Value, mask: &str) -> Result<Value> {
    let Value::Moment(at) = value else { return Ok(Value::Null) };
    let text = at.to_utc_text();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let mut rest = mask;
    let mut shown = String::new();
    while let Some(first) = rest.chars().next() {
        let upper = rest.to_uppercase();
        match PARTS.iter().find(|(name, _)| upper.starts_with(name)) {
            Some((name, _)) => {
                shown.push_str(match *name {
                    "YYYY" => part(0, 4),
                    "MM" => part(5, 7),
                    "DD" => part(8, 10),
                    "HH24" => part(11, 13),
                    "MI" => part(14, 16),
                    _ => part(17, 19),
                });
                rest = rest.get(name.len()..).unwrap_or_default();
            }
            None if first.is_ascii_alphanumeric() => return Err(bad_mask()),
            None => {
                shown.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    Ok(Value::Text(shown))
}

fn to_date(text: &str, mask: &str) -> Result<Timestamp> {
    let mut rest = text;
    let mut form = mask;
    let mut read = [("YYYY", "1970"), ("MM", "01"), ("DD", "01"), ("HH24", "00"), ("MI", "00"), ("SS", "00")];
    while let Some(first) = form.chars().next() {
        let upper = form.to_uppercase();
        if let Some((name, length)) = PARTS.iter().find(|(name, _)| upper.starts_with(name)) {
            let digits = rest.get(..*length).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
            let digits = digits.ok_or_else(|| SqlError::new("A date does not match its format."))?;
            if let Some(slot) = read.iter_mut().find(|(known, _)| known == name) {
                slot.1 = digits;
            }
            rest = rest.get(*length..).unwrap_or_default();
            form = form.get(name.len()..).unwrap_or_default();
        } else if first.is_ascii_alphanumeric() {
            return Err(bad_mask());
        } else {
            rest =
                rest.strip_prefix(first).ok_or_else(|| SqlError::new("A date does not match its format."))?;
            form = form.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    if !rest.is_empty() {
        return Err(SqlError::new("A date does not match its format."));
    }
    let [year, month, day, hour, minute, second] = read.map(|(_, digits)| digits);
    Timestamp::parse_utc(&format!("{year}-{month}-{day} {hour}:{minute}:{second}"))
        .map_err(|_| SqlError::new("A date is out of range."))
}
