//! What we ship is ours to give away: the licences of everything that is compiled.

use crate::Problem;
use crate::graph::Package;
use crate::spdx;
use std::collections::BTreeSet;

/// Every licence expression in the tree. The list equals the real one in both directions, so that a new expression is
/// read by a person before it enters, and one that left is not remembered as harmless.
pub const EXPRESSIONS: &[&str] = &[
    "(MIT OR Apache-2.0) AND Unicode-3.0",
    "0BSD OR MIT OR Apache-2.0",
    "Apache-2.0",
    "Apache-2.0 / MIT",
    "Apache-2.0 OR ISC OR MIT",
    "Apache-2.0 OR MIT",
    "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
    "BSD-2-Clause OR Apache-2.0 OR MIT",
    "BSD-3-Clause",
    "BSD-3-Clause AND BSD-2-Clause",
    "CC0-1.0 OR MIT-0 OR Apache-2.0",
    "ISC",
    "ISC AND (Apache-2.0 OR ISC)",
    // aws-lc-sys: the C library and what it carries along.
    "ISC AND (Apache-2.0 OR ISC) AND Apache-2.0 AND MIT AND BSD-3-Clause AND (Apache-2.0 OR ISC OR MIT) AND (Apache-2.0 OR ISC OR MIT-0)",
    "MIT",
    "MIT OR Apache-2.0",
    "MIT OR Zlib OR Apache-2.0",
    "MIT/Apache-2.0",
    "Unicode-3.0",
    "Unlicense OR MIT",
    "Zlib",
];

/// The tree's expressions equal the list.
pub fn expressions(tree: &BTreeSet<Package>, listed: &[&str]) -> Vec<Problem> {
    let place = "tidy/src/rules/licences.rs";
    let mut problems = Vec::new();
    for package in tree {
        if !listed.contains(&package.license.as_str()) {
            let what = format!("{} is under {:?}, which is not listed", package.name, package.license);
            let remedy = "read that licence; then list it here and in deny.toml, or do without the package";
            problems.push(Problem::new(place, what, remedy));
        }
    }
    for expression in listed {
        if !tree.iter().any(|package| package.license == *expression) {
            let what = format!("nothing is under {expression:?} any more");
            problems.push(Problem::new(place, what, "delete the line"));
        }
    }
    problems
}

/// `deny.toml` accepts what is compiled, and nothing that is not needed.
pub fn deny_agrees(tree: &BTreeSet<Package>, deny: &str) -> Vec<Problem> {
    let place = "deny.toml";
    let allowed = match allowed(deny) {
        Ok(allowed) => allowed,
        Err(problem) => {
            return vec![Problem::new(place, problem, "write [licenses] with a list called allow")];
        }
    };
    let mut problems = Vec::new();
    for package in tree.iter().filter(|package| !spdx::is_allowed(&package.license, &allowed)) {
        let what = format!("does not accept {:?} of {}", package.license, package.name);
        problems.push(Problem::new(place, what, "add the licence to allow, or do without the package"));
    }
    let named: BTreeSet<String> = tree.iter().flat_map(|package| spdx::named(&package.license)).collect();
    for licence in allowed.difference(&named) {
        let what = format!("accepts {licence}, which nothing names");
        problems.push(Problem::new(place, what, "delete it from allow"));
    }
    problems
}

fn allowed(deny: &str) -> Result<BTreeSet<String>, String> {
    let table: toml::Table = deny.parse().map_err(|error| format!("cannot be read: {error}"))?;
    let list =
        table.get("licenses").and_then(|licenses| licenses.get("allow")).and_then(toml::Value::as_array);
    let list = list.ok_or("has no list of licences")?;
    list.iter()
        .map(|item| item.as_str().map(str::to_owned).ok_or_else(|| "holds no text".to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::parse_tree;

    #[test]
    fn the_list_must_be_the_real_one_both_ways() {
        let tree = parse_tree("a v1.0.0||MIT\nb v1.0.0||GPL-3.0\nc v1.0.0||\n");
        assert_eq!(expressions(&parse_tree("a v1.0.0||MIT"), &["MIT"]), []);
        let found = expressions(&tree, &["MIT", "ISC"]);
        let what: Vec<_> = found.iter().map(|problem| problem.what.as_str()).collect();
        assert_eq!(
            what,
            [
                "b is under \"GPL-3.0\", which is not listed",
                "c is under \"\", which is not listed",
                "nothing is under \"ISC\" any more"
            ]
        );
    }

    #[test]
    fn deny_must_accept_all_and_no_more() {
        let tree = parse_tree("a v1.0.0||MIT\nb v1.0.0||ISC AND MIT\n");
        assert_eq!(deny_agrees(&tree, "[licenses]\nallow = ['MIT', 'ISC']"), []);
        assert_eq!(
            deny_agrees(&tree, "[licenses]\nallow = ['MIT']")[0].what,
            "does not accept \"ISC AND MIT\" of b"
        );
        let found = deny_agrees(&tree, "[licenses]\nallow = ['MIT', 'ISC', 'Zlib']");
        assert_eq!(found[0].what, "accepts Zlib, which nothing names");
        assert_eq!(deny_agrees(&tree, "allow = 1")[0].what, "has no list of licences");
    }
}
