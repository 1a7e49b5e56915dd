//! The right word that is nearest to a wrong one.

/// The known word that needs the fewest changes, if it is near at all.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (away, right) = known.into_iter().map(|right| (distance(word, right), right)).min()?;
    (away <= right.chars().count().max(word.chars().count()) / 2).then_some(right)
}

/// Whether `word` looks like `right` with a slip or two.
pub(super) fn is_slip(word: &str, right: &str) -> bool {
    right.chars().count() > 3 && distance(word, right) <= 2
}

/// `; did you mean X?`, or what there is if nothing is near.
pub fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(right) => format!("; did you mean {right}?"),
        None => {
            let mut known: Vec<&str> = known.into_iter().collect();
            known.sort_unstable();
            format!("; there are {}", known.join(", "))
        }
    }
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(100).enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_found_and_a_far_one_is_not() {
        assert_eq!(nearest("bse_url", ["base_url", "auth"]), Some("base_url"));
        assert_eq!(nearest("evry", ["every", "from"]), Some("every"));
        assert_eq!(nearest("zzzzzzzz", ["every", "from"]), None);
        assert_eq!(hint("zzzzzzzz", ["to", "from"]), "; there are from, to");
    }
}
