//! What a rule finds.

use std::fmt;

/// One breach of one rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where: a path with a line, or a crate.
    pub place: String,
    /// What is there.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    /// `what` was found at `place`; do `remedy`.
    pub fn new(place: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n    do: {}", self.place, self.what, self.remedy)
    }
}

/// `Ok` if there is no problem, else all of them as one text.
///
/// # Errors
/// The problems, one under the other.
pub fn verdict(mut problems: Vec<Problem>) -> Result<(), String> {
    problems.sort();
    problems.dedup();
    if problems.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = problems.iter().map(Problem::to_string).collect();
    Err(format!("{} problem(s)\n\n{}\n", shown.len(), shown.join("\n\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_says_where_what_and_what_to_do() {
        let text = verdict(vec![Problem::new("a.rs:1", "a tab", "write spaces")]).unwrap_err();
        assert_eq!(text, "1 problem(s)\n\na.rs:1: a tab\n    do: write spaces\n");
        assert_eq!(verdict(Vec::new()), Ok(()));
    }
}
