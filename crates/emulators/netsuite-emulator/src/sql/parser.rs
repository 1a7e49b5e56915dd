use super::lexer::{Token, tokens};
use super::{Result, SqlError};
use erp_core::Decimal;

/// How deep expressions and queries may nest.
const DEPTH_MAX: usize = 64;
/// As many values as one `IN` may have.
const IN_MAX: usize = 1000;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Select {
    pub(super) distinct: bool,
    pub(super) items: Vec<Item>,
    pub(super) from: Vec<From>,
    pub(super) filter: Option<Expr>,
    pub(super) group: Vec<Expr>,
    pub(super) having: Option<Expr>,
    pub(super) order: Vec<(Expr, bool)>,
    pub(super) fetch: Option<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    Star,
    StarOf(String),
    Value(Expr, Option<String>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct From {
    pub(super) source: Source,
    pub(super) alias: String,
    pub(super) left: bool,
    pub(super) on: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    Table(String),
    Query(Box<Select>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    Text(String),
    Number(Decimal),
    Null,
    Param(usize),
    RowNum,
    Column(Option<String>, String),
    Not(Box<Self>),
    Negative(Box<Self>),
    Binary(&'static str, Box<Self>, Box<Self>),
    IsNull(Box<Self>, bool),
    In(Box<Self>, Vec<Self>, bool),
    InQuery(Box<Self>, Box<Select>, bool),
    Between(Box<Self>, Box<Self>, Box<Self>, bool),
    Like(Box<Self>, Box<Self>, bool),
    Case(Vec<(Self, Self)>, Option<Box<Self>>),
    Call(String, Vec<Self>),
    /// Name, distinct, argument; `COUNT(*)` has none.
    Aggregate(&'static str, bool, Option<Box<Self>>),
}

pub(super) const AGGREGATES: [&str; 5] = ["count", "sum", "min", "max", "avg"];
/// Words that end an alias.
const RESERVED: [&str; 22] = [
    "from", "where", "group", "having", "order", "join", "inner", "left", "on", "and", "or", "not", "fetch",
    "union", "limit", "cross", "as", "in", "is", "like", "between", "asc",
];

/// A query and how many values it wants.
pub(super) fn parse(text: &str) -> Result<(Select, usize)> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, params: 0, depth: 0 };
    if !parser.is_word("select") {
        return Err(SqlError::new("Only SELECT statements are allowed."));
    }
    let select = parser.select()?;
    let _ = parser.sign(";");
    if parser.at < parser.tokens.len() {
        return Err(parser.unexpected());
    }
    Ok((select, parser.params))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    params: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn unexpected(&self) -> SqlError {
        let what = match self.peek() {
            None => "the end".to_owned(),
            Some(Token::Word(word)) => word.to_uppercase(),
            Some(Token::Quoted(name)) => format!("\"{name}\""),
            Some(Token::Text(_)) => "a text".to_owned(),
            Some(Token::Number(number)) => number.to_string(),
            Some(Token::Param) => "?".to_owned(),
            Some(Token::Sign(sign)) => (*sign).to_owned(),
        };
        SqlError::new(format!("Unexpected {what}."))
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(held)) if held == word)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(held)) if *held == sign);
        self.at += usize::from(found);
        found
    }

    fn need_word(&mut self, word: &str) -> Result<()> {
        if self.word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn need(&mut self, sign: &str) -> Result<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn name(&mut self) -> Result<String> {
        match self.peek() {
            Some(Token::Word(name) | Token::Quoted(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// A name after `AS`, or a word that is none of the language's own.
    fn alias(&mut self) -> Result<Option<String>> {
        if self.word("as") {
            return self.name().map(Some);
        }
        match self.peek() {
            Some(Token::Word(word)) if !RESERVED.contains(&word.as_str()) => self.name().map(Some),
            Some(Token::Quoted(_)) => self.name().map(Some),
            _ => Ok(None),
        }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(SqlError::new("The query is nested too deeply."));
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn select(&mut self) -> Result<Select> {
        self.deeper(Self::select_inner)
    }

    fn select_inner(&mut self) -> Result<Select> {
        self.need_word("select")?;
        let distinct = self.word("distinct");
        let mut items = vec![self.item()?];
        while self.sign(",") {
            items.push(self.item()?);
        }
        self.need_word("from")?;
        let from = self.sources()?;
        let filter = if self.word("where") { Some(self.expr()?) } else { None };
        let mut group = Vec::new();
        if self.word("group") {
            self.need_word("by")?;
            group.push(self.expr()?);
            while self.sign(",") {
                group.push(self.expr()?);
            }
        }
        let having = if self.word("having") { Some(self.expr()?) } else { None };
        let order = self.order()?;
        let fetch = self.fetch()?;
        if self.is_word("limit") || self.is_word("union") {
            return Err(self.unexpected());
        }
        Ok(Select { distinct, items, from, filter, group, having, order, fetch })
    }

    fn order(&mut self) -> Result<Vec<(Expr, bool)>> {
        let mut order = Vec::new();
        if self.word("order") {
            self.need_word("by")?;
            loop {
                let expr = self.expr()?;
                let descending = self.word("desc");
                let _ = !descending && self.word("asc");
                order.push((expr, descending));
                if !self.sign(",") {
                    break;
                }
            }
        }
        Ok(order)
    }

    fn fetch(&mut self) -> Result<Option<usize>> {
        if !self.word("fetch") {
            return Ok(None);
        }
        let _ = self.word("first") || self.word("next");
        let count = match self.peek() {
            Some(Token::Number(number)) => number.to_string().parse().map_err(|_| self.unexpected())?,
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        let _ = self.word("rows") || self.word("row");
        self.need_word("only")?;
        Ok(Some(count))
    }

    fn item(&mut self) -> Result<Item> {
        if self.sign("*") {
            return Ok(Item::Star);
        }
        if let [Some(Token::Word(name)), Some(Token::Sign(".")), Some(Token::Sign("*"))] =
            [0, 1, 2].map(|ahead| self.tokens.get(self.at + ahead))
        {
            let name = name.clone();
            self.at += 3;
            return Ok(Item::StarOf(name));
        }
        let expr = self.expr()?;
        let alias = self.alias()?;
        Ok(Item::Value(expr, alias))
    }

    fn sources(&mut self) -> Result<Vec<From>> {
        let mut list = vec![self.source(false)?];
        loop {
            if self.sign(",") || (self.word("cross") && self.word("join")) {
                list.push(self.source(false)?);
                continue;
            }
            let left = self.word("left");
            if left {
                let _ = self.word("outer");
            } else {
                let _ = self.word("inner");
            }
            if !self.word("join") {
                return if left { Err(self.unexpected()) } else { Ok(list) };
            }
            let mut joined = self.source(left)?;
            self.need_word("on")?;
            joined.on = Some(self.expr()?);
            list.push(joined);
        }
    }

    fn source(&mut self, left: bool) -> Result<From> {
        let (source, own) = if self.sign("(") {
            let query = self.select()?;
            self.need(")")?;
            (Source::Query(Box::new(query)), String::new())
        } else {
            let name = self.name()?;
            (Source::Table(name.clone()), name)
        };
        let alias = self.alias()?.unwrap_or(own);
        Ok(From { source, alias, left, on: None })
    }

    fn expr(&mut self) -> Result<Expr> {
        self.deeper(|parser| {
            let mut left = parser.conjunction()?;
            while parser.word("or") {
                left = Expr::Binary("or", Box::new(left), Box::new(parser.conjunction()?));
            }
            Ok(left)
        })
    }

    fn conjunction(&mut self) -> Result<Expr> {
        let mut left = self.negation()?;
        while self.word("and") {
            left = Expr::Binary("and", Box::new(left), Box::new(self.negation()?));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expr> {
        if self.word("not") {
            return self.deeper(|parser| Ok(Expr::Not(Box::new(parser.negation()?))));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expr> {
        let left = self.sum()?;
        for sign in ["=", "<>", "!=", "^=", "<=", ">=", "<", ">"] {
            if self.sign(sign) {
                let sign = if matches!(sign, "!=" | "^=") { "<>" } else { sign };
                return Ok(Expr::Binary(sign, Box::new(left), Box::new(self.sum()?)));
            }
        }
        if self.word("is") {
            let not = self.word("not");
            self.need_word("null")?;
            return Ok(Expr::IsNull(Box::new(left), not));
        }
        let not = self.word("not");
        if self.word("in") {
            return self.membership(left, not);
        }
        if self.word("between") {
            let low = self.sum()?;
            self.need_word("and")?;
            return Ok(Expr::Between(Box::new(left), Box::new(low), Box::new(self.sum()?), not));
        }
        if self.word("like") {
            return Ok(Expr::Like(Box::new(left), Box::new(self.sum()?), not));
        }
        if not { Err(self.unexpected()) } else { Ok(left) }
    }

    fn membership(&mut self, left: Expr, not: bool) -> Result<Expr> {
        self.need("(")?;
        if self.is_word("select") {
            let query = self.select()?;
            self.need(")")?;
            return Ok(Expr::InQuery(Box::new(left), Box::new(query), not));
        }
        let mut values = vec![self.expr()?];
        while self.sign(",") {
            values.push(self.expr()?);
        }
        self.need(")")?;
        if values.len() > IN_MAX {
            return Err(SqlError::new("The maximum number of expressions in a list is 1000."));
        }
        Ok(Expr::In(Box::new(left), values, not))
    }

    fn sum(&mut self) -> Result<Expr> {
        let mut left = self.product()?;
        while let Some(sign) = ["+", "-", "||"].into_iter().find(|sign| self.sign(sign)) {
            left = Expr::Binary(sign, Box::new(left), Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expr> {
        let mut left = self.unary()?;
        while let Some(sign) = ["*", "/"].into_iter().find(|sign| self.sign(sign)) {
            left = Expr::Binary(sign, Box::new(left), Box::new(self.unary()?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr> {
        if self.sign("-") {
            return self.deeper(|parser| Ok(Expr::Negative(Box::new(parser.unary()?))));
        }
        self.primary()
    }

    fn primary(&mut self) -> Result<Expr> {
        if self.sign("(") {
            let inner = self.expr()?;
            self.need(")")?;
            return Ok(inner);
        }
        let token = self.peek().cloned().ok_or_else(|| self.unexpected())?;
        let simple = match token {
            Token::Text(text) => Expr::Text(text),
            Token::Number(number) => Expr::Number(number),
            Token::Param => {
                self.params += 1;
                Expr::Param(self.params - 1)
            }
            Token::Quoted(_) | Token::Word(_) => return self.named(),
            Token::Sign(_) => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(simple)
    }

    fn named(&mut self) -> Result<Expr> {
        let quoted = matches!(self.peek(), Some(Token::Quoted(_)));
        let name = self.name()?;
        if !quoted {
            match name.as_str() {
                "null" => return Ok(Expr::Null),
                "rownum" => return Ok(Expr::RowNum),
                "sysdate" | "current_date" => return Ok(Expr::Call("sysdate".to_owned(), Vec::new())),
                "case" => return self.case(),
                word if RESERVED.contains(&word) || word == "with" || word == "date" => {
                    self.at -= 1;
                    return Err(self.unexpected());
                }
                _ => {}
            }
        }
        if self.sign("(") {
            return self.call(&name);
        }
        if self.sign(".") {
            let column = self.name()?;
            if name == "builtin" && self.sign("(") {
                return self.call(&format!("builtin.{column}"));
            }
            return Ok(Expr::Column(Some(name), column));
        }
        Ok(Expr::Column(None, name))
    }

    fn call(&mut self, name: &str) -> Result<Expr> {
        if let Some(aggregate) = AGGREGATES.into_iter().find(|known| *known == name) {
            if aggregate == "count" && self.sign("*") {
                self.need(")")?;
                return Ok(Expr::Aggregate(aggregate, false, None));
            }
            let distinct = self.word("distinct");
            let argument = self.expr()?;
            self.need(")")?;
            return Ok(Expr::Aggregate(aggregate, distinct, Some(Box::new(argument))));
        }
        let mut arguments = Vec::new();
        if !self.sign(")") {
            arguments.push(self.expr()?);
            while self.sign(",") {
                arguments.push(self.expr()?);
            }
            self.need(")")?;
        }
        Ok(Expr::Call(name.to_owned(), arguments))
    }

    fn case(&mut self) -> Result<Expr> {
        let subject = if self.is_word("when") { None } else { Some(self.expr()?) };
        let mut arms = Vec::new();
        while self.word("when") {
            let when = self.expr()?;
            self.need_word("then")?;
            let when = match &subject {
                Some(subject) => Expr::Binary("=", Box::new(subject.clone()), Box::new(when)),
                None => when,
            };
            arms.push((when, self.expr()?));
        }
        let otherwise = if self.word("else") { Some(Box::new(self.expr()?)) } else { None };
        self.need_word("end")?;
        if arms.is_empty() { Err(self.unexpected()) } else { Ok(Expr::Case(arms, otherwise)) }
    }
}
