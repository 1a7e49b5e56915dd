//! Who may import whom. The picture is in ARCHITECTURE.md; this file is what keeps it true.

use crate::Problem;
use crate::code::{code_only, line_of, names_crate, words};
use crate::graph::{Member, Package};
use crate::tree::File;
use std::collections::{BTreeMap, BTreeSet};

/// What one crate of ours may import of ours.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// The crate.
    pub name: &'static str,
    /// What it may name in `[dependencies]`; `*` is everything.
    pub may: &'static [&'static str],
    /// What its tests may name besides.
    pub tests_may: &'static [&'static str],
}

/// The house. A new crate needs a row here.
pub const HOUSE: &[Room] = &[
    Room { name: "erp-core", may: &[], tests_may: &["erp-testkit"] },
    Room { name: "erp-http", may: &["erp-core"], tests_may: &["erp-testkit"] },
    Room { name: "odata-client", may: &["erp-core", "erp-http"], tests_may: &["erp-testkit"] },
    Room {
        name: "commerce-client",
        may: &["erp-core", "erp-http"],
        tests_may: &["erp-testkit", "commerce-emulator"],
    },
    Room {
        name: "sap-odata",
        may: &["erp-core", "erp-http", "odata-client"],
        tests_may: &["erp-testkit", "sap-emulator"],
    },
    Room {
        name: "netsuite",
        may: &["erp-core", "erp-http"],
        // Itself, to switch its own features on for its tests.
        tests_may: &["erp-testkit", "netsuite", "netsuite-emulator"],
    },
    Room { name: "sync-engine", may: &["erp-core"], tests_may: &["erp-testkit"] },
    Room { name: "sync-server", may: &["erp-core", "sync-engine"], tests_may: &["erp-testkit"] },
    Room { name: "erp-testkit", may: &["erp-core"], tests_may: &[] },
    Room { name: "commerce-emulator", may: &["erp-core", "erp-testkit"], tests_may: &[] },
    Room { name: "sap-emulator", may: &["erp-core", "erp-testkit"], tests_may: &[] },
    Room { name: "netsuite-emulator", may: &["erp-core", "erp-testkit"], tests_may: &[] },
    Room { name: "commerce-sync", may: &["*"], tests_may: &["*"] },
    Room { name: "sdk-examples", may: &["*"], tests_may: &["*"] },
    Room { name: "sdk-benches", may: &["*"], tests_may: &["*"] },
    Room { name: "tidy", may: &[], tests_may: &[] },
];

/// What must not be compiled by somebody who uses one crate of ours.
#[derive(Debug, Clone, Copy)]
pub struct Absence {
    /// The crate of ours.
    pub of: &'static str,
    /// Packages that must be absent.
    pub packages: &'static [&'static str],
    /// Package features that must be off.
    pub features: &'static [(&'static str, &'static str)],
    /// Why.
    pub because: &'static str,
}

const SERVERS: &[(&str, &str)] =
    &[("hyper", "server"), ("hyper-util", "server"), ("hyper-util", "server-auto")];

/// The invariants of absence, as far as the compiled tree shows them.
pub const ABSENCES: &[Absence] = &[
    Absence {
        of: "erp-core",
        packages: &[
            "async-std",
            "axum",
            "h2",
            "http",
            "hyper",
            "hyper-util",
            "libsqlite3-sys",
            "mio",
            "reqwest",
            "rusqlite",
            "rustls",
            "smol",
            "tokio",
            "tower",
            "wiremock",
        ],
        features: &[],
        because: "the vocabulary has no runtime, no HTTP and no I/O, so that any adapter can use it",
    },
    Absence {
        of: "sync-engine",
        packages: &[
            "axum",
            "commerce-client",
            "commerce-emulator",
            "erp-http",
            "erp-testkit",
            "http",
            "hyper",
            "netsuite",
            "netsuite-emulator",
            "odata-client",
            "reqwest",
            "sap-emulator",
            "sap-odata",
        ],
        features: &[],
        because: "the engine moves records between roles; it cannot name a vendor nor speak HTTP",
    },
    Absence {
        of: "sap-odata",
        packages: &[
            "axum",
            "commerce-client",
            "commerce-emulator",
            "erp-testkit",
            "libsqlite3-sys",
            "rusqlite",
            "sap-emulator",
            "sync-engine",
            "wiremock",
        ],
        features: SERVERS,
        because: "a user of one connector compiles no other connector, no SQLite and no web server",
    },
    Absence {
        of: "netsuite",
        packages: &[
            "axum",
            "commerce-client",
            "erp-testkit",
            "libsqlite3-sys",
            "netsuite-emulator",
            "odata-client",
            "rusqlite",
            "sap-odata",
            "sync-engine",
            "wiremock",
        ],
        features: SERVERS,
        because: "a user of one connector compiles no other connector, no SQLite and no web server",
    },
    Absence {
        of: "commerce-client",
        packages: &[
            "axum",
            "commerce-emulator",
            "erp-testkit",
            "libsqlite3-sys",
            "odata-client",
            "rusqlite",
            "sap-emulator",
            "sap-odata",
            "sync-engine",
            "wiremock",
        ],
        features: SERVERS,
        because: "a user of one connector compiles no other connector, no SQLite and no web server",
    },
];

/// Packages that only the named crates of ours may name at all: their types would leak, or their choice would spread.
pub const KEPT_BY: &[(&str, &[&str], &str)] = &[
    ("reqwest", &["erp-http"], "one way out: send through erp_http::HttpClient"),
    ("oauth2", &["erp-http"], "log in through erp_http::auth"),
    ("jiff", &["erp-core"], "use erp_core::time, whose newtypes hide it"),
    ("rusqlite", &["sync-engine", "sdk-benches"], "ask the ledger through sync_engine"),
];

/// Each member imports only what its row of the house allows, in code and in tests.
pub fn directions(members: &BTreeMap<String, Member>, house: &[Room]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for member in members.values() {
        let place = format!("{}/Cargo.toml", member.folder);
        let Some(room) = house.iter().find(|room| room.name == member.name) else {
            let what = format!("{} has no row in the house", member.name);
            problems.push(Problem::new(place, what, "add one to HOUSE in tidy/src/rules/dependencies.rs"));
            continue;
        };
        let ours = |named: &BTreeSet<String>| -> Vec<String> {
            named.iter().filter(|name| members.contains_key(*name)).cloned().collect()
        };
        for name in ours(&member.dependencies) {
            if !allows(room.may, &name) {
                problems.push(wrong_way(&place, &member.name, &name));
            }
        }
        for name in ours(&member.dev_dependencies) {
            if !allows(room.may, &name) && !allows(room.tests_may, &name) {
                problems.push(wrong_way(&place, &format!("the tests of {}", member.name), &name));
            }
        }
    }
    problems
}

fn allows(may: &[&str], name: &str) -> bool {
    may.contains(&"*") || may.contains(&name)
}

fn wrong_way(place: &str, who: &str, what: &str) -> Problem {
    let remedy = "move what is shared to a crate that both may import (erp-core, erp-http, erp-testkit)";
    Problem::new(place, format!("{who} may not import {what}"), remedy)
}

/// Rows that name crates which are not there: the picture must be of this house.
pub fn ghosts(members: &BTreeMap<String, Member>, house: &[Room], absences: &[Absence]) -> Vec<Problem> {
    let place = "tidy/src/rules/dependencies.rs";
    let rows = house.iter().flat_map(|room| [room.name].into_iter().chain(room.may.iter().copied()));
    let rows = rows.chain(house.iter().flat_map(|room| room.tests_may.iter().copied()));
    rows.chain(absences.iter().map(|absence| absence.of))
        .filter(|name| *name != "*" && !members.contains_key(*name))
        .map(|name| Problem::new(place, format!("no member is called {name}"), "correct or delete the row"))
        .collect()
}

/// What the absence forbids and the compiled tree has.
pub fn absent(absence: &Absence, tree: &BTreeSet<Package>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for package in tree {
        let name = package.name.as_str();
        if absence.packages.contains(&name) {
            problems.push(intruder(absence, name));
        }
        for (_, feature) in absence.features.iter().filter(|(owner, _)| *owner == name) {
            if package.features.contains(*feature) {
                problems.push(intruder(absence, &format!("{name} with feature {feature}")));
            }
        }
    }
    problems
}

fn intruder(absence: &Absence, what: &str) -> Problem {
    let name = what.split(' ').next().unwrap_or(what);
    let remedy = format!(
        "find the way in with `cargo tree -p {} -e normal -i {name}` and take it out: {}",
        absence.of, absence.because
    );
    Problem::new(absence.of, format!("compiles {what}"), remedy)
}

/// Manifests that name a package which others keep.
pub fn kept_in_manifests(members: &BTreeMap<String, Member>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for member in members.values() {
        for (package, keepers, remedy) in KEPT_BY {
            let named = member.dependencies.contains(*package) || member.dev_dependencies.contains(*package);
            if named && !keepers.contains(&member.name.as_str()) {
                let place = format!("{}/Cargo.toml", member.folder);
                problems.push(Problem::new(place, format!("names {package}"), *remedy));
            }
        }
    }
    problems
}

/// Rust files that name a package which others keep.
pub fn kept_in_sources(members: &BTreeMap<String, Member>, files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let owner = owner(members, &file.path);
        let code = code_only(&file.text);
        for (package, keepers, remedy) in KEPT_BY {
            if owner.is_some_and(|owner| keepers.contains(&owner)) {
                continue;
            }
            if let Some((at, word)) =
                words(&code).into_iter().find(|(at, word)| word == package && names_crate(&code, *at, word))
            {
                let place = format!("{}:{}", file.path, line_of(&code, at));
                problems.push(Problem::new(place, format!("names {word}"), *remedy));
            }
        }
    }
    problems
}

fn owner<'a>(members: &'a BTreeMap<String, Member>, path: &str) -> Option<&'a str> {
    let holds =
        |member: &&Member| path.strip_prefix(&member.folder).is_some_and(|tail| tail.starts_with('/'));
    members.values().find(holds).map(|member| member.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, dependencies: &[&str], dev: &[&str]) -> (String, Member) {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let member = Member {
            name: name.to_owned(),
            folder: format!("crates/{name}"),
            dependencies: set(dependencies),
            dev_dependencies: set(dev),
            ..Member::default()
        };
        (name.to_owned(), member)
    }

    const TWO: &[Room] = &[
        Room { name: "core", may: &[], tests_may: &["kit"] },
        Room { name: "kit", may: &["core"], tests_may: &[] },
    ];

    #[test]
    fn a_wrong_direction_is_found_in_code_and_in_tests() {
        let good = BTreeMap::from([member("core", &["serde"], &["kit"]), member("kit", &["core"], &[])]);
        assert_eq!(directions(&good, TWO), []);
        let bad = BTreeMap::from([member("core", &["kit"], &[]), member("kit", &[], &["core"])]);
        let found = directions(&bad, TWO);
        assert_eq!(found.len(), 1, "a kit that imports the core only in tests is fine: {found:?}");
        assert_eq!(found[0].what, "core may not import kit");
        let tests = BTreeMap::from([member("core", &[], &[]), member("kit", &[], &["kit"])]);
        assert_eq!(directions(&tests, TWO)[0].what, "the tests of kit may not import kit");
    }

    #[test]
    fn a_crate_without_a_row_and_a_row_without_a_crate() {
        let odd = BTreeMap::from([member("new", &[], &[])]);
        assert_eq!(directions(&odd, TWO)[0].what, "new has no row in the house");
        let only_core = BTreeMap::from([member("core", &[], &[])]);
        assert!(ghosts(&only_core, TWO, &[]).iter().all(|problem| problem.what == "no member is called kit"));
        assert!(!ghosts(&only_core, TWO, &[]).is_empty());
    }

    #[test]
    fn a_package_or_a_feature_that_must_be_absent() {
        let absence =
            Absence { of: "core", packages: &["tokio"], features: &[("hyper", "server")], because: "so" };
        let tree = |features: &str, name: &str| {
            crate::graph::parse_tree(&format!("hyper v1.0.0|{features}|MIT\n{name} v1.0.0||MIT\n"))
        };
        assert_eq!(absent(&absence, &tree("client", "bytes")), []);
        assert_eq!(absent(&absence, &tree("client", "tokio"))[0].what, "compiles tokio");
        let found = absent(&absence, &tree("client,server", "bytes"));
        assert_eq!(found[0].what, "compiles hyper with feature server");
        assert!(found[0].remedy.contains("cargo tree -p core -e normal -i hyper`"));
    }

    #[test]
    fn a_kept_package_may_be_named_by_its_keeper_alone() {
        let members = BTreeMap::from([
            member("erp-http", &["reqwest"], &[]),
            member("shop", &[], &["reqwest"]),
            member("erp-core", &["jiff"], &[]),
        ]);
        let found = kept_in_manifests(&members);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "crates/shop/Cargo.toml");

        let files = [
            File::new("crates/erp-http/src/a.rs", "use reqwest::Client;"),
            File::new("crates/shop/src/a.rs", "// reqwest\nlet x = \"reqwest\";\nuse reqwest::Client;"),
            File::new("crates/shop/src/b.rs", "use erp_http::auth::oauth2::Token; let reqwest_like = 1;"),
        ];
        let found = kept_in_sources(&members, &files);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].place, "crates/shop/src/a.rs:3");
    }
}
