//! The files of the project.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folders that hold nothing of ours.
const NOT_OURS: [&str; 3] = ["target", "node_modules", "mutants.out"];
/// Dotted folders that are ours.
const DOTTED_BUT_OURS: [&str; 2] = [".ci", ".github"];
/// Files longer than this are data, and no rule reads them.
const LONGEST_BYTES: u64 = 4 * 1024 * 1024;

/// One text file, by its path from the project's root with `/` between the parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// `crates/erp-core/src/lib.rs`.
    pub path: String,
    /// What it holds.
    pub text: String,
}

impl File {
    /// A file, for tests and for [`read`].
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// What stands behind the last dot of its name, or the whole name: `rs`, `md`, `run`.
    pub fn kind(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.rsplit('.').next().unwrap_or(name)
    }

    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.kind() == "rs"
    }

    /// The crate's folder if this is a source file of a crate: `crates/erp-core` for `crates/erp-core/src/lib.rs`.
    /// Files of tests, also those beside the code, are none.
    pub fn source_of(&self) -> Option<&str> {
        let (folder, inside) = self.path.split_once("/src/")?;
        let mut parts = inside.split('/');
        let is_test = parts.any(|part| part == "tests" || part == "tests.rs");
        (self.is_rust() && !is_test).then_some(folder)
    }
}

/// The project's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.to_path_buf(), Path::to_path_buf)
}

/// Every text file below `root` that is not built or installed.
///
/// # Errors
/// What the disk says.
pub fn read(root: &Path) -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type()?;
            if kind.is_dir() && is_ours(&name) {
                folders.push(entry.path());
            } else if kind.is_file() && entry.metadata()?.len() <= LONGEST_BYTES {
                files.extend(text_file(root, &entry.path()));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn is_ours(folder: &str) -> bool {
    !NOT_OURS.contains(&folder) && (!folder.starts_with('.') || DOTTED_BUT_OURS.contains(&folder))
}

fn text_file(root: &Path, path: &Path) -> Option<File> {
    let relative = path.strip_prefix(root).ok()?;
    // A worktree's `.git` is a file that names a path of this machine; logs and data bases are not committed.
    let passed_over = [".git", ".DS_Store"].iter().any(|name| relative.ends_with(name))
        || ["log", "db", "db-wal", "db-shm"]
            .iter()
            .any(|end| relative.extension().is_some_and(|e| e == *end));
    if passed_over {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
    Some(File::new(parts.join("/"), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_sees_sources_and_not_what_is_built() {
        let files = read(&root()).unwrap();
        assert!(files.iter().any(|file| file.path == "tidy/src/tree.rs"));
        assert!(files.iter().any(|file| file.path == "Cargo.toml"));
        assert!(!files.iter().any(|file| file.path.starts_with("target/")));
    }

    #[test]
    fn a_source_file_knows_its_crate() {
        assert_eq!(File::new("crates/a/src/b/c.rs", "").source_of(), Some("crates/a"));
        assert_eq!(File::new("crates/a/tests/it/main.rs", "").source_of(), None);
        assert_eq!(File::new("crates/a/src/x.json", "").source_of(), None);
        assert_eq!(File::new("crates/a/src/b/tests.rs", "").source_of(), None);
        assert_eq!(File::new("crates/a/src/b/tests_of_time.rs", "").source_of(), Some("crates/a"));
    }
}
