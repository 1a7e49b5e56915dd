//! Documents that would otherwise rot: the map names every crate, the change log says something, links lead somewhere.

use crate::Problem;
use crate::tree::File;
use std::collections::BTreeSet;

/// The headings of a decision, in order.
pub const DECISION_HEADINGS: [&str; 5] =
    ["## Context", "## Decision", "## Consequences", "## Alternatives", "## When to look again"];
/// A decision fits one page.
pub const DECISION_LINES_MAX: usize = 60;

/// `ARCHITECTURE.md` names each of `crates`, and no path below `crates/` that is gone.
pub fn map_is_complete<'a>(map: &str, crates: impl Iterator<Item = &'a str>, files: &[File]) -> Vec<Problem> {
    let place = "ARCHITECTURE.md";
    let mut problems = Vec::new();
    for name in crates {
        if !map.contains(&format!("`{name}`")) {
            let remedy = "write a paragraph in the code map: what it is for and what it knows nothing about";
            problems.push(Problem::new(place, format!("does not name `{name}`"), remedy));
        }
    }
    for path in map.split('`').filter(|text| text.starts_with("crates/") && !text.contains([' ', '*', '<'])) {
        let path = path.trim_end_matches('/');
        let exists = files.iter().any(|file| file.path.strip_prefix(path).is_some_and(ends_or_goes_on));
        if !exists {
            problems.push(Problem::new(place, format!("names {path}, which is gone"), "correct the path"));
        }
    }
    problems
}

fn ends_or_goes_on(tail: &str) -> bool {
    tail.is_empty() || tail.starts_with('/')
}

/// The first `## ` section of the change log holds at least one entry.
pub fn change_log(text: &str) -> Vec<Problem> {
    let place = "CHANGELOG.md";
    let mut sections = text.split("\n## ").skip(1);
    let Some(first) = sections.next() else {
        return vec![Problem::new(place, "has no section", "begin with `## Unreleased`")];
    };
    let has_entry = first.lines().skip(1).any(|line| line.starts_with("- ") && line.len() > 10);
    if has_entry {
        return Vec::new();
    }
    let what = format!("the top section ({}) is empty", first.lines().next().unwrap_or(""));
    vec![Problem::new(place, what, "say in a `- ` line what changed for the user")]
}

/// Decisions are numbered without a gap, have the five headings in order, and fit a page.
pub fn decisions(files: &[File]) -> Vec<Problem> {
    let folder = "docs/decisions/";
    let mut problems = Vec::new();
    let all = files.iter().filter(|file| file.path.starts_with(folder) && file.kind() == "md");
    for (index, file) in all.enumerate() {
        let number = format!("{folder}{:04}-", index + 1);
        if !file.path.starts_with(&number) {
            let what = format!("should be number {:04}", index + 1);
            problems.push(Problem::new(
                &file.path,
                what,
                "number decisions without a gap; never reuse a number",
            ));
        }
        let headings: Vec<&str> = file.text.lines().filter(|line| line.starts_with("## ")).collect();
        if headings != DECISION_HEADINGS {
            let what = format!("has the headings {headings:?}");
            problems.push(Problem::new(
                &file.path,
                what,
                format!("have these, in order: {DECISION_HEADINGS:?}"),
            ));
        }
        if !file.text.starts_with("# ") || file.text.lines().count() > DECISION_LINES_MAX {
            let remedy = format!("a title and at most {DECISION_LINES_MAX} lines");
            problems.push(Problem::new(&file.path, "has no title, or more than a page", remedy));
        }
    }
    problems
}

/// Relative links in Markdown files lead to files or folders that are there.
pub fn links(files: &[File]) -> Vec<Problem> {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for file in files {
        let mut path = file.path.as_str();
        known.insert(path.to_owned());
        while let Some((folder, _)) = path.rsplit_once('/') {
            known.insert(folder.to_owned());
            path = folder;
        }
    }
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.kind() == "md") {
        for (line, target) in relative_links(&file.text) {
            let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            if resolve(folder, target).is_none_or(|path| !path.is_empty() && !known.contains(&path)) {
                let place = format!("{}:{line}", file.path);
                problems.push(Problem::new(
                    place,
                    format!("links to {target}, which is not there"),
                    "correct it",
                ));
            }
        }
    }
    problems
}

fn relative_links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        for piece in line.split("](").skip(1).filter(|_| !fenced) {
            let target = piece.split([')', '#', ' ']).next().unwrap_or("");
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                found.push((at + 1, target));
            }
        }
    }
    found
}

fn resolve(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_names_each_crate_and_no_ghost() {
        let files = [File::new("crates/a/src/lib.rs", "")];
        let names = || ["a", "b-c"].into_iter();
        assert_eq!(map_is_complete("`a` and `b-c` in `crates/a/`", names(), &files), []);
        let found = map_is_complete("`a` and b-c in `crates/x`", names(), &files);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].what, "does not name `b-c`");
        assert_eq!(found[1].what, "names crates/x, which is gone");
    }

    #[test]
    fn the_change_log_says_something() {
        assert_eq!(change_log("# Changes\n\n## Unreleased\n\n- Something for users.\n"), []);
        assert_eq!(change_log("# Changes\n").len(), 1);
        let empty = "# Changes\n\n## Unreleased\n\n## 0.1.0\n\n- Something for users.\n";
        assert_eq!(change_log(empty)[0].what, "the top section (Unreleased) is empty");
    }

    #[test]
    fn a_decision_has_its_five_headings() {
        let body = format!("# Title\n\n{}\n", DECISION_HEADINGS.join("\n\nText.\n\n"));
        let good = [File::new("docs/decisions/0001-a.md", body.clone())];
        assert_eq!(decisions(&good), []);
        assert_eq!(decisions(&[File::new("docs/decisions/0002-a.md", body.clone())]).len(), 1);
        let missing = body.replace("## Alternatives\n", "");
        assert_eq!(decisions(&[File::new("docs/decisions/0001-a.md", missing)]).len(), 1);
        let long = body + &"more\n".repeat(DECISION_LINES_MAX);
        assert_eq!(decisions(&[File::new("docs/decisions/0001-a.md", long)]).len(), 1);
    }

    #[test]
    fn links_lead_somewhere() {
        let files = |link: &str| {
            [
                File::new("docs/a.md", format!("see [it]({link})\n```\n[x](gone.md)\n```\n")),
                File::new("b/c.rs", ""),
            ]
        };
        for good in ["a.md", "../b/c.rs#L1", "../b", "https://example.com/x", "#here", ".."] {
            assert_eq!(links(&files(good)), [], "{good}");
        }
        for bad in ["c.rs", "../b/d.rs", "../../x"] {
            assert_eq!(links(&files(bad))[0].place, "docs/a.md:1", "{bad}");
        }
    }
}
