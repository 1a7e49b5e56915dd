//! The `q=` filter of record lists, parsed for real. Dates follow the user's own format and the account's zone, and know no
//! time of day.

use crate::doc::Val;
use crate::meta::{Kind, RecordMeta};
use crate::refusal::Refusal;
use crate::state::{Stored, World};
use erp_core::Decimal;
use erp_core::time::Date;

/// The deepest that parentheses may go.
const DEPTH_MAX: usize = 32;

/// Conditions, joined: `AND` binds tighter than `OR`.
#[derive(Debug)]
pub(crate) enum Filter {
    Any(Vec<Filter>),
    All(Vec<Filter>),
    One(Condition),
}

#[derive(Debug)]
pub(crate) struct Condition {
    field: String,
    not: bool,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Is(String),
    Contain(String),
    StartWith(String),
    EndWith(String),
    Number(Compare, Decimal),
    Between(Decimal, Decimal),
    AnyOf(Vec<String>),
    Day(Compare, Date),
    Empty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Compare {
    fn holds<T: Ord>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
        }
    }
}

const NUMBERS: [(&str, Compare); 5] = [
    ("EQUAL", Compare::Equal),
    ("GREATER", Compare::Greater),
    ("GREATER_OR_EQUAL", Compare::GreaterOrEqual),
    ("LESS", Compare::Less),
    ("LESS_OR_EQUAL", Compare::LessOrEqual),
];

const DAYS: [(&str, Compare); 5] = [
    ("ON", Compare::Equal),
    ("AFTER", Compare::Greater),
    ("ON_OR_AFTER", Compare::GreaterOrEqual),
    ("BEFORE", Compare::Less),
    ("ON_OR_BEFORE", Compare::LessOrEqual),
];

fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::query("q", "INVALID_PARAMETER", text)
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

fn tokens(text: &str) -> Result<Vec<Token>, Refusal> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let after = match first {
            '"' => {
                let inner = rest.get(1..).unwrap_or_default();
                let (word, after) = inner.split_once('"').ok_or_else(|| invalid("A text has no end."))?;
                tokens.push(Token::Text(word.to_owned()));
                after
            }
            '(' | ')' | '[' | ']' | ',' => {
                tokens.push(Token::Sign(first));
                rest.get(1..).unwrap_or_default()
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | ',' | '"');
                let (word, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
                tokens.push(Token::Word(word.to_owned()));
                after
            }
        };
        rest = after.trim_start();
    }
    Ok(tokens)
}

/// A date in the user's format, such as `MM/DD/YYYY` or `DD.MM.YYYY`.
fn date(text: &str, format: &str) -> Option<Date> {
    let parts = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect()
    };
    let signs = |text: &str| -> String { text.chars().filter(|c| !c.is_alphanumeric()).collect() };
    if signs(text) != signs(format) {
        return None;
    }
    let (names, values) = (parts(format), parts(text));
    let field = |name: char| {
        let at = names.iter().position(|part| part.starts_with(name))?;
        values.get(at)?.parse::<u16>().ok()
    };
    let (year, month, day) = (field('Y')?, field('M')?, field('D')?);
    Date::parse(&format!("{year:04}-{month:02}-{day:02}")).ok()
}

struct Parser<'a> {
    rest: &'a [Token],
    record: &'a RecordMeta,
    world: &'a World,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<&Token> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn takes(&mut self, wanted: &Token) -> bool {
        let found = self.rest.first() == Some(wanted);
        if found {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        found
    }

    fn any(&mut self, depth: usize) -> Result<Filter, Refusal> {
        let mut any = vec![self.all(depth)?];
        while self.takes(&Token::Word("OR".to_owned())) {
            any.push(self.all(depth)?);
        }
        Ok(Filter::Any(any))
    }

    fn all(&mut self, depth: usize) -> Result<Filter, Refusal> {
        let mut all = vec![self.one(depth)?];
        while self.takes(&Token::Word("AND".to_owned())) {
            all.push(self.one(depth)?);
        }
        Ok(Filter::All(all))
    }

    fn one(&mut self, depth: usize) -> Result<Filter, Refusal> {
        if depth >= DEPTH_MAX {
            return Err(invalid("The parentheses go too deep."));
        }
        if self.takes(&Token::Sign('(')) {
            let inner = self.any(depth + 1)?;
            return if self.takes(&Token::Sign(')')) { Ok(inner) } else { Err(invalid("A ) is missing.")) };
        }
        let Some(Token::Word(field)) = self.next().cloned() else {
            return Err(invalid("A condition is missing."));
        };
        let Some(Token::Word(operator)) = self.next().cloned() else {
            return Err(invalid("An operator is missing."));
        };
        let (name, not) = match operator.strip_suffix("_NOT") {
            Some(name) => (name, true),
            None => (operator.as_str(), false),
        };
        let test = self.test(&field, name)?;
        Ok(Filter::One(Condition { field, not, test }))
    }

    /// Only fields of the body can be asked for, and only those that are no lists.
    fn is_day(&self, field: &str) -> Result<bool, Refusal> {
        let missing = || Refusal::query("q", "NONEXISTENT_FIELD", format!("Field '{field}' does not exist."));
        if field.starts_with("cust") && self.world.has(&format!("field/{field}")) {
            return Ok(false);
        }
        match self.record.fields.get(field).map(|field| field.kind) {
            None | Some(Kind::Lines(_) | Kind::Sub(_)) => Err(missing()),
            Some(Kind::Date) => Ok(true),
            Some(_) => Ok(matches!(field, "createdDate" | "dateCreated" | "lastModifiedDate")),
        }
    }

    fn test(&mut self, field: &str, name: &str) -> Result<Test, Refusal> {
        let day = self.is_day(field)?;
        if name == "EMPTY" {
            return Ok(Test::Empty);
        }
        if let Some((_, compare)) = DAYS.iter().find(|(known, _)| *known == name) {
            if !day {
                return Err(invalid(format!("Operator {name} is not for field {field}.")));
            }
            let format = self.world.setting("date-format").unwrap_or("MM/DD/YYYY").to_owned();
            let text = self.value()?;
            let wrong = || invalid(format!("The value {text} failed with date format {format}."));
            return Ok(Test::Day(*compare, date(&text, &format).ok_or_else(wrong)?));
        }
        if day {
            return Err(invalid(format!("Operator {name} is not for field {field}.")));
        }
        if let Some((_, compare)) = NUMBERS.iter().find(|(known, _)| *known == name) {
            return Ok(Test::Number(*compare, self.number()?));
        }
        Ok(match name {
            "IS" => Test::Is(self.value()?),
            "CONTAIN" => Test::Contain(self.value()?),
            "START_WITH" => Test::StartWith(self.value()?),
            "END_WITH" | "ENDWITH" => Test::EndWith(self.value()?),
            "BETWEEN" => {
                let list = self.list()?;
                let [from, to] = list.as_slice() else {
                    return Err(invalid("BETWEEN needs two values."));
                };
                Test::Between(read(from)?, read(to)?)
            }
            "ANY_OF" => Test::AnyOf(self.list()?),
            other => return Err(invalid(format!("Unknown operator {other}."))),
        })
    }

    fn value(&mut self) -> Result<String, Refusal> {
        match self.next() {
            Some(Token::Word(text) | Token::Text(text)) => Ok(text.clone()),
            _ => Err(invalid("A value is missing.")),
        }
    }

    fn number(&mut self) -> Result<Decimal, Refusal> {
        read(&self.value()?)
    }

    fn list(&mut self) -> Result<Vec<String>, Refusal> {
        if !self.takes(&Token::Sign('[')) {
            return Err(invalid("A list in square brackets is missing."));
        }
        let mut list = vec![self.value()?];
        while self.takes(&Token::Sign(',')) {
            list.push(self.value()?);
        }
        if self.takes(&Token::Sign(']')) { Ok(list) } else { Err(invalid("A ] is missing.")) }
    }
}

fn read(text: &str) -> Result<Decimal, Refusal> {
    text.parse().map_err(|_| invalid(format!("The value {text} is no number.")))
}

impl Filter {
    pub(crate) fn parse(text: &str, record: &RecordMeta, world: &World) -> Result<Self, Refusal> {
        let tokens = tokens(text)?;
        let mut parser = Parser { rest: &tokens, record, world };
        let filter = parser.any(0)?;
        match parser.rest.first() {
            None => Ok(filter),
            Some(token) => Err(invalid(format!("Unexpected {token:?}."))),
        }
    }

    pub(crate) fn matches(&self, stored: &Stored, world: &World) -> bool {
        match self {
            Self::Any(any) => any.iter().any(|filter| filter.matches(stored, world)),
            Self::All(all) => all.iter().all(|filter| filter.matches(stored, world)),
            Self::One(condition) => condition.holds(stored, world) != condition.not,
        }
    }
}

impl Condition {
    fn holds(&self, stored: &Stored, world: &World) -> bool {
        let text = match stored.doc.0.get(&self.field) {
            Some(Val::Text(text) | Val::Ref(text)) => text.clone(),
            Some(Val::Flag(flag)) => flag.to_string(),
            Some(Val::Num(number)) => number.normalize().to_string(),
            _ => match self.field.as_str() {
                "lastModifiedDate" => stored.modified.date_in(&world.zone()).to_string(),
                "createdDate" | "dateCreated" => stored.created.date_in(&world.zone()).to_string(),
                _ => String::new(),
            },
        };
        let number = || text.parse::<Decimal>().ok();
        match &self.test {
            Test::Is(value) => text.eq_ignore_ascii_case(value),
            Test::Contain(value) => text.contains(value),
            Test::StartWith(value) => text.starts_with(value),
            Test::EndWith(value) => text.ends_with(value),
            Test::Number(compare, value) => number().is_some_and(|own| compare.holds(&own, value)),
            Test::Between(from, to) => number().is_some_and(|own| (*from..=*to).contains(&own)),
            Test::AnyOf(values) => values.iter().any(|value| text.eq_ignore_ascii_case(value)),
            Test::Day(compare, value) => Date::parse(&text).is_ok_and(|own| compare.holds(&own, value)),
            Test::Empty => text.is_empty(),
        }
    }
}
