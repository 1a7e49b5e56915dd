//! Where an order goes in SAP: a sales area and an order type.

use erp_core::error::{Error, Result};
use erp_core::model::RouteTarget;
use std::fmt;

/// The words that a route may say.
pub(crate) const WORDS: [&str; 3] = ["sales_area", "order_type", "one_time_customer"];

/// A route to a sales area: sales organisation, distribution channel and division.
///
/// Say more with [`RouteTarget::with`]: `order_type` (default from the configuration, `OR`) and `one_time_customer` for
/// guests of this route.
///
/// ```
/// let route = sap_odata::sales_area("1710", "10", "00").with("order_type", "OR");
/// assert_eq!(route.get("sales_area"), Some("1710/10/00"));
/// ```
#[must_use]
pub fn sales_area(organization: &str, channel: &str, division: &str) -> RouteTarget {
    RouteTarget::new().with("sales_area", format!("{organization}/{channel}/{division}"))
}

/// `SalesOrganization`, `DistributionChannel` and `OrganizationDivision`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SalesArea {
    /// Four characters.
    pub organization: String,
    /// Two characters.
    pub channel: String,
    /// Two characters.
    pub division: String,
}

impl SalesArea {
    /// Reads `1710/10/00`.
    ///
    /// # Errors
    /// `Config` with the text at fault.
    pub fn parse(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            [organization, channel, division]
                if fits(organization, 4) && fits(channel, 2) && fits(division, 2) =>
            {
                Ok(Self {
                    organization: (*organization).to_owned(),
                    channel: (*channel).to_owned(),
                    division: (*division).to_owned(),
                })
            }
            _ => Err(Error::config(format!(
                "sales_area = {text:?} must be sales organisation, channel and division: 1710/10/00"
            ))),
        }
    }
}

impl fmt::Display for SalesArea {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.organization, self.channel, self.division)
    }
}

fn fits(text: &str, max: usize) -> bool {
    !text.is_empty() && text.len() <= max && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Checks a route's words and values.
pub(crate) fn check(route: &RouteTarget) -> Result<()> {
    for word in route.0.keys() {
        if !WORDS.contains(&word.as_str()) {
            let hint = nearest(word).map(|right| format!("; did you mean {right}?")).unwrap_or_default();
            return Err(Error::config(format!("a route to SAP knows no {word:?}{hint}")));
        }
    }
    let area = route
        .get("sales_area")
        .ok_or_else(|| Error::config("a route to SAP needs sales_area, such as 1710/10/00"))?;
    SalesArea::parse(area)?;
    if route.get("order_type").is_some_and(|code| !fits(code, 4)) {
        return Err(Error::config("order_type must have one to four letters or digits, such as OR"));
    }
    if route.get("one_time_customer").is_some_and(|number| !fits(number, 10)) {
        return Err(Error::config("one_time_customer must be a customer number of at most 10 characters"));
    }
    Ok(())
}

/// The known word that needs the fewest changes, if it is near at all.
fn nearest(word: &str) -> Option<&'static str> {
    let near = WORDS.iter().map(|right| (distance(word, right), *right)).min()?;
    (near.0 <= near.1.len() / 2).then_some(near.1)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
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
    fn a_wrong_word_names_the_right_one() {
        let error = check(&RouteTarget::new().with("salesarea", "1710/10/00")).unwrap_err();
        assert_eq!(error.code(), "erp.config");
        assert!(error.message().contains("did you mean sales_area?"), "{error}");
        let far = check(&RouteTarget::new().with("x", "y")).unwrap_err();
        assert!(!far.message().contains("did you mean"), "{far}");
    }

    #[test]
    fn a_sales_area_has_three_parts() {
        check(&sales_area("1710", "10", "00").with("order_type", "OR").with("one_time_customer", "CPD1"))
            .unwrap();
        for bad in
            ["", "1710", "1710/10", "1710/10/00/1", "17100/10/00", "1710/100/00", "1710//00", "1710/1 /00"]
        {
            assert!(check(&RouteTarget::new().with("sales_area", bad)).is_err(), "{bad}");
        }
        assert!(check(&RouteTarget::new()).is_err());
        assert!(check(&sales_area("1710", "10", "00").with("order_type", "ORDER")).is_err());
    }

    #[test]
    fn distances_count_changes() {
        assert_eq!(distance("order_typ", "order_type"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
