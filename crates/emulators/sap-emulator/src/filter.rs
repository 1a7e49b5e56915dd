//! `$filter` of OData V2: a small parser and its meaning.

use crate::meta::{Prop, SetMeta};
use crate::refusal::Refusal;
use crate::value::{Literal, Row, Val, bare, order, prefixed};
use std::cmp::Ordering;

/// How deep parentheses and `not` may nest.
const DEPTH_MAX: usize = 100;

/// A parsed filter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Or(Vec<Self>),
    And(Vec<Self>),
    Not(Box<Self>),
    Compare(Operator, Term, Term),
    Test(Term),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Term {
    Property(String),
    Literal(Literal),
    Call(Function, Vec<Self>),
}

/// The functions that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    SubstringOf,
    StartsWith,
    EndsWith,
    ToLower,
    ToUpper,
    Trim,
    Length,
}

impl Function {
    fn named(name: &str) -> Option<(Self, usize)> {
        Some(match name {
            "substringof" => (Self::SubstringOf, 2),
            "startswith" => (Self::StartsWith, 2),
            "endswith" => (Self::EndsWith, 2),
            "tolower" => (Self::ToLower, 1),
            "toupper" => (Self::ToUpper, 1),
            "trim" => (Self::Trim, 1),
            "length" => (Self::Length, 1),
            _ => return None,
        })
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    Comma,
    Word(String),
    Literal(Literal),
}

fn invalid(what: &str) -> Refusal {
    Refusal::new(400, "/IWBEP/CM_MGW_EXPR/001", format!("Invalid filter expression: {what}"))
}

fn tokens(text: &str) -> Result<Vec<Token>, Refusal> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match first {
            ' ' => rest = &rest[1..],
            '(' | ')' | ',' => {
                out.push(match first {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    _ => Token::Comma,
                });
                rest = &rest[1..];
            }
            '\'' => {
                let (content, after) = quoted(rest).ok_or_else(|| invalid("a string does not end"))?;
                out.push(Token::Literal(Literal::Text(content)));
                rest = after;
            }
            _ => {
                let end = rest.find([' ', '(', ')', ',', '\'']).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                rest = after;
                if after.starts_with('\'') {
                    let (content, after) = quoted(after).ok_or_else(|| invalid("a literal does not end"))?;
                    let literal =
                        prefixed(word, &content).ok_or_else(|| invalid("a literal is malformed"))?;
                    out.push(Token::Literal(literal));
                    rest = after;
                } else {
                    out.push(bare(word).map_or_else(|| Token::Word(word.to_owned()), Token::Literal));
                }
            }
        }
    }
    Ok(out)
}

/// The content of the string that `text` begins with, quotes undoubled, and what comes after it.
pub(crate) fn quoted(text: &str) -> Option<(String, &str)> {
    let mut content = String::new();
    let mut rest = text.strip_prefix('\'')?;
    loop {
        let (before, after) = rest.split_once('\'')?;
        content.push_str(before);
        match after.strip_prefix('\'') {
            Some(more) => {
                content.push('\'');
                rest = more;
            }
            None => return Some((content, after)),
        }
    }
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    depth: usize,
}

/// Parses a filter, already percent-decoded.
pub(crate) fn parse(text: &str) -> Result<Expr, Refusal> {
    let mut parser = Parser { tokens: tokens(text)?.into_iter().peekable(), depth: 0 };
    let expr = parser.or()?;
    if parser.tokens.peek().is_some() {
        return Err(invalid("something follows its end"));
    }
    Ok(expr)
}

impl Parser {
    fn takes(&mut self, word: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Word(found) if found == word)).is_some()
    }

    fn expect(&mut self, token: &Token) -> Result<(), Refusal> {
        self.tokens
            .next_if(|found| found == token)
            .map(|_| ())
            .ok_or_else(|| invalid("parentheses do not match"))
    }

    fn or(&mut self) -> Result<Expr, Refusal> {
        let first = self.and()?;
        let mut parts = vec![first];
        while self.takes("or") {
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::Or(parts) })
    }

    fn and(&mut self) -> Result<Expr, Refusal> {
        let first = self.unary()?;
        let mut parts = vec![first];
        while self.takes("and") {
            parts.push(self.unary()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::And(parts) })
    }

    fn unary(&mut self) -> Result<Expr, Refusal> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(invalid("it nests too deep"));
        }
        let expr = if self.takes("not") {
            Expr::Not(Box::new(self.unary()?))
        } else if self.tokens.next_if_eq(&Token::Open).is_some() {
            let inner = self.or()?;
            self.expect(&Token::Close)?;
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn comparison(&mut self) -> Result<Expr, Refusal> {
        let left = self.term()?;
        let operators = [
            ("eq", Operator::Eq),
            ("ne", Operator::Ne),
            ("gt", Operator::Gt),
            ("ge", Operator::Ge),
            ("lt", Operator::Lt),
            ("le", Operator::Le),
        ];
        for (word, operator) in operators {
            if self.takes(word) {
                return Ok(Expr::Compare(operator, left, self.term()?));
            }
        }
        Ok(Expr::Test(left))
    }

    fn term(&mut self) -> Result<Term, Refusal> {
        match self.tokens.next() {
            Some(Token::Literal(literal)) => Ok(Term::Literal(literal)),
            Some(Token::Word(word)) if self.tokens.peek() == Some(&Token::Open) => self.call(&word),
            Some(Token::Word(word)) => Ok(Term::Property(word)),
            _ => Err(invalid("a property or a literal is missing")),
        }
    }

    fn call(&mut self, name: &str) -> Result<Term, Refusal> {
        let (function, arity) = Function::named(name).ok_or_else(|| {
            Refusal::new(501, "/IWBEP/CM_MGW_EXPR/002", format!("Function '{name}' is not supported"))
        })?;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(invalid("it nests too deep"));
        }
        self.expect(&Token::Open)?;
        let mut arguments = vec![self.term()?];
        while self.tokens.next_if_eq(&Token::Comma).is_some() {
            arguments.push(self.term()?);
        }
        self.expect(&Token::Close)?;
        self.depth -= 1;
        if arguments.len() != arity {
            return Err(invalid("a function has the wrong number of arguments"));
        }
        Ok(Term::Call(function, arguments))
    }
}

/// The type of a term, as far as comparisons care.
#[derive(Debug, Clone, Copy)]
enum Typed<'m> {
    Property(&'m Prop),
    Text,
    Number,
    Truth,
    Literal,
}

impl Expr {
    /// Checks properties and types against the set.
    pub(crate) fn check(&self, set: &SetMeta) -> Result<(), Refusal> {
        match self {
            Self::Or(parts) | Self::And(parts) => parts.iter().try_for_each(|part| part.check(set)),
            Self::Not(inner) => inner.check(set),
            Self::Compare(_, left, right) => {
                let (a, b) = (left.check(set)?, right.check(set)?);
                let fits = match (a, b) {
                    (Typed::Property(prop), Typed::Literal) => fits(prop, right),
                    (Typed::Literal, Typed::Property(prop)) => fits(prop, left),
                    (Typed::Property(a), Typed::Property(b)) => a.kind.edm() == b.kind.edm(),
                    (Typed::Text, Typed::Literal) => matches!(right, Term::Literal(Literal::Text(_))),
                    (Typed::Number, Typed::Literal) => matches!(right, Term::Literal(Literal::Number(..))),
                    (Typed::Truth, Typed::Literal) => matches!(right, Term::Literal(Literal::Bool(_))),
                    _ => false,
                };
                if fits { Ok(()) } else { Err(invalid("two sides of a comparison differ in type")) }
            }
            Self::Test(term) => match term.check(set)? {
                Typed::Truth => Ok(()),
                Typed::Property(prop) if prop.kind == crate::meta::Kind::Bool => Ok(()),
                _ => Err(invalid("a comparison is missing")),
            },
        }
    }

    /// Whether a row passes.
    pub(crate) fn holds(&self, set: &SetMeta, row: &Row) -> bool {
        match self {
            Self::Or(parts) => parts.iter().any(|part| part.holds(set, row)),
            Self::And(parts) => parts.iter().all(|part| part.holds(set, row)),
            Self::Not(inner) => !inner.holds(set, row),
            Self::Test(term) => term.value(set, row, None) == Some(Val::B(true)),
            Self::Compare(operator, left, right) => {
                let like = left.prop(set).or_else(|| right.prop(set));
                let (a, b) = (left.value(set, row, like), right.value(set, row, like));
                let found = match like {
                    Some(prop) => match (&a, &b) {
                        (Some(Val::S(a)), Some(Val::S(b))) => prop.inner(a).cmp(&prop.inner(b)),
                        (a, b) => order(a.as_ref(), b.as_ref()),
                    },
                    None => order(a.as_ref(), b.as_ref()),
                };
                let nulls = a.is_none() || b.is_none();
                match operator {
                    Operator::Eq => found == Ordering::Equal,
                    Operator::Ne => found != Ordering::Equal,
                    _ if nulls => false,
                    Operator::Gt => found == Ordering::Greater,
                    Operator::Ge => found != Ordering::Less,
                    Operator::Lt => found == Ordering::Less,
                    Operator::Le => found != Ordering::Greater,
                }
            }
        }
    }

    /// `property eq 'text'` that every passing row fulfils, for the index.
    pub(crate) fn required(&self, property: &str) -> Option<&str> {
        match self {
            Self::And(parts) => parts.iter().find_map(|part| part.required(property)),
            Self::Compare(Operator::Eq, Term::Property(name), Term::Literal(Literal::Text(text)))
            | Self::Compare(Operator::Eq, Term::Literal(Literal::Text(text)), Term::Property(name))
                if name == property =>
            {
                Some(text)
            }
            _ => None,
        }
    }
}

fn fits(prop: &Prop, term: &Term) -> bool {
    match term {
        Term::Literal(Literal::Null) => true,
        Term::Literal(literal) => prop.kind.literal(literal).is_some(),
        _ => false,
    }
}

impl Term {
    fn check<'m>(&self, set: &'m SetMeta) -> Result<Typed<'m>, Refusal> {
        match self {
            Self::Literal(_) => Ok(Typed::Literal),
            Self::Property(name) => {
                let prop = set.prop(name).ok_or_else(|| {
                    Refusal::new(
                        400,
                        "/IWBEP/CM_MGW_RT/021",
                        format!("Property '{name}' not found in type '{}'", set.type_name()),
                    )
                    .on(name)
                })?;
                if !prop.filterable {
                    return Err(Refusal::new(
                        400,
                        "/IWBEP/CM_MGW_RT/176",
                        format!("Property '{name}' cannot be used in a filter"),
                    )
                    .on(name));
                }
                Ok(Typed::Property(prop))
            }
            Self::Call(function, arguments) => {
                for argument in arguments {
                    let text = match argument.check(set)? {
                        Typed::Text => true,
                        Typed::Property(prop) => prop.kind.edm() == "Edm.String",
                        Typed::Literal => matches!(argument, Self::Literal(Literal::Text(_))),
                        Typed::Number | Typed::Truth => false,
                    };
                    if !text {
                        return Err(invalid("a function takes strings"));
                    }
                }
                Ok(match function {
                    Function::SubstringOf | Function::StartsWith | Function::EndsWith => Typed::Truth,
                    Function::Length => Typed::Number,
                    Function::ToLower | Function::ToUpper | Function::Trim => Typed::Text,
                })
            }
        }
    }

    fn prop<'m>(&self, set: &'m SetMeta) -> Option<&'m Prop> {
        match self {
            Self::Property(name) => set.prop(name),
            _ => None,
        }
    }

    fn value(&self, set: &SetMeta, row: &Row, like: Option<&Prop>) -> Option<Val> {
        match self {
            Self::Property(name) => set.prop(name).and_then(|prop| prop.comparable(row.get(name))),
            Self::Literal(literal) => match (like, literal) {
                (Some(prop), _) => prop.literal(literal),
                (None, Literal::Text(text)) => Some(Val::S(text.clone())),
                (None, Literal::Bool(value)) => Some(Val::B(*value)),
                (None, Literal::Number(value, _)) => Some(Val::D(*value)),
                _ => None,
            },
            Self::Call(function, arguments) => {
                let mut texts = arguments.iter().map(|argument| match argument.value(set, row, None) {
                    Some(Val::S(text)) => text,
                    _ => String::new(),
                });
                let first = texts.next().unwrap_or_default();
                let second = texts.next().unwrap_or_default();
                Some(match function {
                    Function::SubstringOf => Val::B(second.contains(&first)),
                    Function::StartsWith => Val::B(first.starts_with(&second)),
                    Function::EndsWith => Val::B(first.ends_with(&second)),
                    Function::ToLower => Val::S(first.to_lowercase()),
                    Function::ToUpper => Val::S(first.to_uppercase()),
                    Function::Trim => Val::S(first.trim().to_owned()),
                    Function::Length => Val::I(i64::try_from(first.chars().count()).unwrap_or(i64::MAX)),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::set;
    use crate::value::Fields as _;
    use erp_core::Decimal;
    use proptest::prelude::*;

    fn passes(filter: &str) -> Result<bool, Refusal> {
        let order = set("A_SalesOrder");
        let mut row = Row::new();
        row.set_text("SalesOrder", "1000042");
        row.set_text("PurchaseOrderByCustomer", "M-O'Hara 7");
        row.set_dec("TotalNetAmount", Decimal::new(1_000, 2));
        row.set_date("PricingDate", 1_795_392_000_000);
        row.insert("LastChangeDateTime".to_owned(), Val::Off(1_795_392_000_000_001));
        row.set_flag("CompleteDeliveryIsDefined", true);
        let expr = parse(filter)?;
        expr.check(order)?;
        Ok(expr.holds(order, &row))
    }

    #[test]
    fn what_holds_and_what_does_not() {
        for (filter, want) in [
            ("PurchaseOrderByCustomer eq 'M-O''Hara 7'", true),
            ("PurchaseOrderByCustomer eq 'm-o''hara 7'", false),
            ("SalesOrder eq '0001000042'", true),
            ("SalesOrder gt '999'", true),
            ("SalesOrder gt '2000000' or TotalNetAmount eq 10M", true),
            ("SalesOrder gt '2000000' and TotalNetAmount eq 10M or true eq CompleteDeliveryIsDefined", true),
            ("SalesOrder gt '2000000' and (TotalNetAmount eq 10M or CompleteDeliveryIsDefined)", false),
            ("TotalNetAmount ge 10.00M and TotalNetAmount le 10", true),
            ("not (TotalNetAmount lt 10M)", true),
            ("not startswith(PurchaseOrderByCustomer,'M-')", false),
            ("substringof('Hara',PurchaseOrderByCustomer) eq true", true),
            ("substringof(PurchaseOrderByCustomer,'Hara')", false),
            ("endswith(PurchaseOrderByCustomer, '7')", true),
            ("tolower(PurchaseOrderByCustomer) eq 'm-o''hara 7'", true),
            ("length(PurchaseOrderByCustomer) eq 10", true),
            ("PricingDate eq datetime'2026-11-23T00:00:00'", true),
            ("PricingDate gt datetime'2026-11-23T00:00:00'", false),
            ("LastChangeDateTime ge datetimeoffset'2026-11-23T00:00:00Z'", true),
            ("LastChangeDateTime gt datetimeoffset'2026-11-23T01:00:00.000001+01:00'", false),
            ("SalesOrderDate eq null", true),
            ("SalesOrderDate lt datetime'2026-11-23T00:00:00'", false),
            ("SoldToParty eq ''", true),
        ] {
            assert_eq!(passes(filter), Ok(want), "{filter}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (filter, status) in [
            ("", 400),
            ("SalesOrder", 400),
            ("SalesOrder eq 1", 400),
            ("SalesOrder eq 'x", 400),
            ("SalesOrder eq 'x' 'y'", 400),
            ("SalesOrder = 'x'", 400),
            ("(SalesOrder eq 'x'", 400),
            ("Nonsense eq 'x'", 400),
            ("TotalNetAmount eq '10'", 400),
            ("PricingDate eq '2026-11-23'", 400),
            ("PricingDate eq datetime'2026-11-23'", 400),
            ("PricingDate eq datetimeoffset'2026-11-23T00:00:00Z'", 400),
            ("LastChangeDateTime gt datetime'2026-11-23T00:00:00'", 400),
            ("contains(SalesOrder,'x')", 501),
            ("startswith(SalesOrder)", 400),
            ("to_Item/Material eq 'X'", 400),
        ] {
            assert_eq!(passes(filter).map_err(|refusal| refusal.status), Err(status), "{filter}");
        }
        let deep = format!("{}SalesOrder eq '1'{}", "(".repeat(5000), ")".repeat(5000));
        assert_eq!(passes(&deep).map_err(|refusal| refusal.status), Err(400));
    }

    #[test]
    fn long_lists_of_or_are_no_depth() {
        let many = vec!["SalesOrder eq '1'"; 2000].join(" or ");
        assert_eq!(passes(&many), Ok(false));
    }

    #[test]
    fn the_index_sees_what_every_row_must_have() {
        let expr = parse("SalesOrganization eq '1710' and PurchaseOrderByCustomer eq 'A'").unwrap();
        assert_eq!(expr.required("PurchaseOrderByCustomer"), Some("A"));
        let expr = parse("SalesOrganization eq '1710' or PurchaseOrderByCustomer eq 'A'").unwrap();
        assert_eq!(expr.required("PurchaseOrderByCustomer"), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,80}") {
            let _ = passes(&text);
        }

        #[test]
        fn never_panics_on_fragments(parts in prop::collection::vec(prop::sample::select(vec![
            "SalesOrder", "eq", "'x'", "(", ")", "not", "and", "or", "10M", "datetime'2026-11-23T00:00:00'", ",",
            "substringof", "true", "null", "'", "TotalNetAmount", "le",
        ]), 0..24)) {
            let _ = passes(&parts.join(" "));
        }

        #[test]
        fn any_text_is_found_by_its_literal(text in "\\PC{0,35}") {
            let mut row = Row::new();
            row.set_text("PurchaseOrderByCustomer", text.clone());
            let filter = format!("PurchaseOrderByCustomer eq '{}'", text.replace('\'', "''"));
            prop_assert!(parse(&filter).unwrap().holds(set("A_SalesOrder"), &row));
        }
    }
}
