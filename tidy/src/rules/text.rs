//! Rules for every text file: what a commit must not carry.

use crate::Problem;
use crate::tree::File;

/// Texts that no file may hold, with what to do. Each is written in two halves, so that this file does not hold it.
pub const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), MACHINE_PATH),
    (concat!("/ro", "ot/."), MACHINE_PATH),
    (concat!("/ho", "me/"), MACHINE_PATH),
    (concat!("registry.", "npmjs"), REGISTRY),
    (concat!("registry.", "yarnpkg"), REGISTRY),
    (concat!("crates.io", "/api"), REGISTRY),
    (concat!("-----BEGIN", " RSA PRIVATE"), "generate the key when the test runs"),
];

const MACHINE_PATH: &str = "use a path from the project's root, a temporary folder or a setting";
const REGISTRY: &str = "leave the address to the package manager's own settings";

/// Kinds of files that we write by hand, and so keep free of blanks at the ends of lines.
const BY_HAND: [&str; 12] =
    ["rs", "toml", "md", "js", "mjs", "json", "cds", "csv", "sh", "yml", "sql", "run"];

/// Machine paths, registry hosts and keys.
pub fn forbidden(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for (text, remedy) in FORBIDDEN {
            if holds(line, text) {
                problems.push(Problem::new(
                    format!("{}:{}", file.path, at + 1),
                    format!("holds {text:?}"),
                    *remedy,
                ));
            }
        }
    }
    problems
}

/// A path counts only where it begins: `/x/` is not in `https://host/x/` nor in `$it/x/`.
fn holds(line: &str, text: &str) -> bool {
    let inside = |before: &str| before.ends_with(|c: char| c.is_alphanumeric() || "$_-.})*".contains(c));
    line.match_indices(text).any(|(at, _)| !(text.starts_with('/') && inside(&line[..at])))
}

/// Blanks at the end of a line, Windows line ends, no newline at the end.
pub fn blanks(file: &File) -> Vec<Problem> {
    if !BY_HAND.contains(&file.kind())
        || file.path.contains("/fixtures/")
        || file.path.contains("/snapshots/")
    {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for (at, line) in file.text.split('\n').enumerate() {
        if line.ends_with([' ', '\t', '\r']) {
            let place = format!("{}:{}", file.path, at + 1);
            problems.push(Problem::new(place, "a blank at the end of the line", "delete it"));
        }
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        problems.push(Problem::new(&file.path, "the last line has no end", "end the file with a newline"));
    }
    problems
}

/// A JavaScript lock file names no registry at all.
pub fn lock_files(file: &File) -> Vec<Problem> {
    let is_lock = file.path.ends_with("package-lock.json") || file.path.ends_with("npm-shrinkwrap.json");
    let remedy = "install with --omit-lockfile-registry-resolved, or strip the resolved fields";
    match file.text.lines().position(|line| line.contains("\"resolved\"")) {
        Some(at) if is_lock => {
            vec![Problem::new(format!("{}:{}", file.path, at + 1), "a resolved address", remedy)]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_paths_and_registries_are_found() {
        for (text, _) in FORBIDDEN {
            let file = File::new("a.md", format!("fine\nsee {text}x\n"));
            let found = forbidden(&file);
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(found[0].place, "a.md:2");
        }
        let (path, _) = FORBIDDEN[0];
        assert_eq!(forbidden(&File::new("a.md", format!("https://example.com{path}x and $it{path}\n"))), []);
        assert_eq!(forbidden(&File::new("a.md", format!("\"{path}x\"\n"))).len(), 1);
        assert_eq!(forbidden(&File::new("a.md", "work/x and crates.io\n")), []);
    }

    #[test]
    fn blanks_are_found() {
        let what = |path: &str, text: &str| blanks(&File::new(path, text)).len();
        assert_eq!(what("a.rs", "a\nb\n"), 0);
        assert_eq!(what("a.rs", "a \nb\n"), 1);
        assert_eq!(what("a.md", "a\r\n"), 1);
        assert_eq!(what("a.toml", "a"), 1);
        assert_eq!(what(".ci/run", "a \n"), 1, "a script is known by its name");
        assert_eq!(what("crates/a/tests/fixtures/a.json", "a \n"), 0, "a vendor's bytes stay as they are");
        assert_eq!(what("a.bin", "a \n"), 0);
    }

    #[test]
    fn lock_files_name_no_registry() {
        let lock = |path: &str| lock_files(&File::new(path, "{\n \"resolved\": \"x\"\n}"));
        assert_eq!(lock("interop/package-lock.json")[0].place, "interop/package-lock.json:2");
        assert_eq!(lock("interop/other.json"), []);
        assert_eq!(lock_files(&File::new("package-lock.json", "{ \"version\": 1 }")), []);
    }
}
