//! Every crate states the same things about itself.

use crate::Problem;
use crate::graph::Member;
use crate::tree::File;
use std::collections::BTreeMap;

/// The licence of every crate of ours.
pub const LICENSE: &str = "MIT OR Apache-2.0";
/// The edition of every crate of ours.
pub const EDITION: &str = "2024";

/// Description, licence and edition.
pub fn statements(members: &BTreeMap<String, Member>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for member in members.values() {
        let place = format!("{}/Cargo.toml", member.folder);
        if member.description.trim().is_empty() {
            problems.push(Problem::new(
                &place,
                "no description",
                "say in one sentence what the crate is for",
            ));
        }
        if member.license != LICENSE {
            problems.push(Problem::new(&place, "another licence", "write `license.workspace = true`"));
        }
        if member.edition != EDITION {
            problems.push(Problem::new(&place, "another edition", "write `edition.workspace = true`"));
        }
    }
    problems
}

/// `[lints] workspace = true`, in each member's manifest.
pub fn lints(members: &BTreeMap<String, Member>, files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for member in members.values() {
        let path = format!("{}/Cargo.toml", member.folder);
        let manifest = files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str());
        let inherits = manifest.parse::<toml::Table>().is_ok_and(|table| {
            let lints = table.get("lints").and_then(|lints| lints.get("workspace"));
            lints.and_then(toml::Value::as_bool) == Some(true)
        });
        if !inherits {
            let remedy =
                "write [lints] with workspace = true; a lint of one crate alone is a rule nobody knows";
            problems.push(Problem::new(path, "does not take the workspace's lints", remedy));
        }
    }
    problems
}

/// Each `Cargo.toml` below `crates/` belongs to a member: a crate outside the workspace is tested by nobody.
pub fn strays(members: &BTreeMap<String, Member>, files: &[File]) -> Vec<Problem> {
    files
        .iter()
        .filter_map(|file| file.path.strip_suffix("/Cargo.toml"))
        .filter(|folder| !members.values().any(|member| member.folder == *folder))
        .map(|folder| Problem::new(folder, "is not a member", "add it to members in the root Cargo.toml"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(license: &str, edition: &str, description: &str) -> BTreeMap<String, Member> {
        let member = Member {
            name: "a".to_owned(),
            folder: "crates/a".to_owned(),
            license: license.to_owned(),
            edition: edition.to_owned(),
            description: description.to_owned(),
            ..Member::default()
        };
        BTreeMap::from([("a".to_owned(), member)])
    }

    #[test]
    fn a_crate_states_what_it_is() {
        assert_eq!(statements(&one(LICENSE, EDITION, "It does a.")), []);
        let found = statements(&one("GPL-3.0", "2021", " "));
        let what: Vec<_> = found.iter().map(|problem| problem.what.as_str()).collect();
        assert_eq!(what, ["no description", "another licence", "another edition"]);
    }

    #[test]
    fn a_crate_takes_the_lints() {
        let members = one(LICENSE, EDITION, "x");
        let manifest = |text: &str| [File::new("crates/a/Cargo.toml", text)];
        assert_eq!(lints(&members, &manifest("[lints]\nworkspace = true")), []);
        assert_eq!(lints(&members, &manifest("[lints]\nworkspace = false")).len(), 1);
        assert_eq!(lints(&members, &manifest("[lints.rust]\nunsafe_code = 'allow'")).len(), 1);
        assert_eq!(lints(&members, &[]).len(), 1);
    }

    #[test]
    fn a_crate_is_a_member() {
        let members = one(LICENSE, EDITION, "x");
        let files = |path: &str| [File::new(path, ""), File::new("Cargo.toml", "")];
        assert_eq!(strays(&members, &files("crates/a/Cargo.toml")), []);
        assert_eq!(strays(&members, &files("crates/b/Cargo.toml"))[0].place, "crates/b");
    }
}
