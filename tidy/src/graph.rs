//! The workspace and its dependency graph, as cargo sees them.

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// A member of the workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// `erp-core`.
    pub name: String,
    /// `crates/erp-core`.
    pub folder: String,
    /// The one sentence of its manifest.
    pub description: String,
    /// Its licence expression.
    pub license: String,
    /// Its edition.
    pub edition: String,
    /// What it names in `[dependencies]` and `[build-dependencies]`, by package name.
    pub dependencies: BTreeSet<String>,
    /// What it names in `[dev-dependencies]`.
    pub dev_dependencies: BTreeSet<String>,
}

/// One package that is compiled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// `hyper`.
    pub name: String,
    /// The features that are on.
    pub features: BTreeSet<String>,
    /// Its licence expression, empty if it states none.
    pub license: String,
}

/// The members, by name.
///
/// # Errors
/// What cargo says.
pub fn members(root: &Path) -> Result<BTreeMap<String, Member>, String> {
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .no_deps()
        .other_options(["--offline".to_owned(), "--locked".to_owned()])
        .exec()
        .map_err(|error| error.to_string())?;
    let mut found = BTreeMap::new();
    for package in metadata.workspace_packages() {
        let folder = package.manifest_path.parent().map_or("", |folder| folder.as_str());
        let named = |dev: bool| {
            let wanted =
                package.dependencies.iter().filter(|d| (d.kind == DependencyKind::Development) == dev);
            wanted.map(|dependency| dependency.name.clone()).collect()
        };
        let member = Member {
            name: package.name.to_string(),
            folder: folder
                .strip_prefix(metadata.workspace_root.as_str())
                .unwrap_or(folder)
                .replace('\\', "/"),
            description: package.description.clone().unwrap_or_default(),
            license: package.license.clone().unwrap_or_default(),
            edition: package.edition.to_string(),
            dependencies: named(false),
            dev_dependencies: named(true),
        };
        let folder = member.folder.trim_start_matches('/').to_owned();
        found.insert(member.name.clone(), Member { folder, ..member });
    }
    Ok(found)
}

/// What a user of `package` compiles on this machine: its normal dependencies, with the features that it alone asks
/// for. `cargo metadata` would unite the features of the whole workspace; `cargo tree` resolves the one package.
///
/// # Errors
/// What cargo says.
pub fn normal_tree(root: &Path, package: &str) -> Result<BTreeSet<Package>, String> {
    cargo_tree(root, &["--package", package, "--edges", "normal"])
}

/// Everything that the workspace compiles on this machine, tests and build scripts too.
///
/// # Errors
/// What cargo says.
pub fn whole_tree(root: &Path) -> Result<BTreeSet<Package>, String> {
    cargo_tree(root, &["--workspace", "--edges", "normal,build,dev"])
}

fn cargo_tree(root: &Path, arguments: &[&str]) -> Result<BTreeSet<Package>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root)
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p}|{f}|{l}"])
        .args(arguments)
        .output()
        .map_err(|error| format!("cargo tree cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(parse_tree(&String::from_utf8_lossy(&output.stdout)))
}

/// Reads the lines `name v1.2.3 (…)|feature,feature|licence`, of which a repeated one ends with `(*)`.
pub fn parse_tree(text: &str) -> BTreeSet<Package> {
    let read = |line: &str| {
        let mut columns = line.splitn(3, '|');
        let name = columns.next()?.split_whitespace().next()?.to_owned();
        let features = columns.next()?.split(',').filter(|f| !f.is_empty()).map(str::to_owned).collect();
        Some(Package { name, features, license: columns.next()?.trim_end_matches("(*)").trim().to_owned() })
    };
    text.lines().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree;

    #[test]
    fn tree_lines_are_read() {
        let tree = parse_tree(
            "hyper v1.2.0|client,http1|MIT\n\nhyper v1.2.0|client,http1|MIT (*)\nours v0.1.0 (path+file:///x)||MIT OR Apache-2.0\n",
        );
        let names: Vec<_> = tree.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["hyper", "ours"]);
        let hyper = tree.first().unwrap();
        assert!(hyper.features.contains("client") && !hyper.features.contains("server"));
        assert_eq!(hyper.license, "MIT");
    }

    #[test]
    fn cargo_answers_for_this_very_crate() {
        let members = members(&tree::root()).unwrap();
        let tidy = &members["tidy"];
        assert_eq!(tidy.folder, "tidy");
        assert!(tidy.dependencies.contains("cargo_metadata"));
        let compiled = normal_tree(&tree::root(), "tidy").unwrap();
        assert!(compiled.iter().any(|package| package.name == "toml" && !package.license.is_empty()));
    }
}
