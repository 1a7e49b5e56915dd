//! What must not stand in a Rust file, and what must.

use crate::Problem;
use crate::code::{attributes, code_only, is_word, line_of, without_tests, words};
use crate::tree::File;
use std::collections::BTreeSet;

/// The longest source file, in lines. Tests may be longer.
pub const LINES_MAX: usize = 800;

/// Folders whose sources know no float: money and quantity are exact decimals.
pub const WITHOUT_FLOATS: &[&str] = &[
    "crates/erp-core/",
    "crates/sync-engine/",
    "crates/odata-client/",
    "crates/commerce-client/",
    "crates/sap-odata/",
];

/// Source files that may use floats nevertheless, each with its reason. None of them touches money or a quantity.
pub const FLOATS_ALLOWED: &[(&str, &str)] = &[];

/// Words that would tie the engine to one vendor.
pub const VENDORS: &[&str] =
    &["commerce", "magento", "adobe", "sap", "netsuite", "salesforce", "dynamics", "dataverse", "odata"];

/// Macros that stand for work not done or not cleaned up.
const MACROS: [(&str, &str); 3] = [
    ("todo", "write it, or return an Unsupported error that says what is missing"),
    ("unimplemented", "write it, or return an Unsupported error that says what is missing"),
    ("dbg", "delete it, or log through tracing"),
];

/// Macros and attributes that hide something: stubs, ignored tests, silenced lints, formats that swallow mistakes.
pub fn forbidden(file: &File) -> Vec<Problem> {
    let code = code_only(&file.text);
    let mut problems = Vec::new();
    let mut add = |at: usize, what: &str, remedy: &str| problems.push(at_line(file, &code, at, what, remedy));
    for (at, word) in words(&code) {
        let called = code[at + word.len()..].starts_with('!');
        if let Some((name, remedy)) = MACROS.into_iter().find(|(name, _)| called && *name == word) {
            add(at, &format!("{name}!"), remedy);
        }
        let hollow = word == "assert" && code[at + word.len()..].starts_with("!(true");
        if hollow {
            add(at, "an assertion that cannot fail", "assert what the user was promised");
        }
    }
    for (at, attribute) in attributes(&code) {
        if let Some((what, remedy)) = bad_attribute(attribute) {
            add(at, what, remedy);
        }
    }
    problems
}

fn bad_attribute(attribute: &str) -> Option<(&'static str, &'static str)> {
    let named: Vec<&str> = words(attribute).into_iter().map(|(_, word)| word).collect();
    let has = |word: &str| named.contains(&word);
    let first = named.first().copied().unwrap_or("");
    let conditional = first == "cfg_attr";
    if first == "ignore" || conditional && has("ignore") {
        return Some((
            "an ignored test",
            "make it pass, or assert today's behaviour and say what is wrong with it",
        ));
    }
    if first == "allow" || conditional && has("allow") {
        let remedy = "use #[expect(…, reason = \"…\")], which complains when it is no longer needed";
        return Some(("#[allow]", remedy));
    }
    if (first == "expect" || conditional && has("expect")) && !has("reason") {
        return Some(("#[expect] without a reason", "add reason = \"…\""));
    }
    let serde = first == "serde" || conditional && has("serde");
    if serde && (has("flatten") || has("untagged")) {
        let remedy = "name the fields or the tag: both forms lose the place of an error and misread numbers";
        return Some(("serde flatten or untagged", remedy));
    }
    None
}

/// Doc examples that are never compiled.
pub fn ignored_examples(file: &File) -> Vec<Problem> {
    let numbered = file.text.lines().enumerate();
    let fences = numbered.filter(|(_, line)| {
        let line = line.trim_start();
        let doc = line.strip_prefix("//!").or_else(|| line.strip_prefix("///")).unwrap_or("").trim_start();
        doc.strip_prefix("```").is_some_and(|info| info.split(',').any(|word| word.trim() == "ignore"))
    });
    let remedy = "make it compile; `no_run` if it needs a server, `text` if it is no code";
    fences.map(|(at, _)| Problem::new(place(file, at + 1), "a doc example that is ignored", remedy)).collect()
}

/// Files that others can name must say what they are for.
pub fn module_docs(files: &[File]) -> Vec<Problem> {
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut must: BTreeSet<String> = BTreeSet::new();
    for file in files.iter().filter(|file| file.source_of().is_some()) {
        if ["/src/lib.rs", "/src/main.rs"].iter().any(|end| file.path.ends_with(end)) {
            must.insert(file.path.clone());
        }
        must.extend(public_modules(file).into_iter().filter(|path| paths.contains(path.as_str())));
    }
    let remedy = "begin the file with `//!` and say what the module is for";
    files
        .iter()
        .filter(|file| must.contains(&file.path) && !begins_with_docs(&file.text))
        .map(|file| Problem::new(place(file, 1), "a public module without a first `//!` line", remedy))
        .collect()
}

fn begins_with_docs(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("#![cfg"));
    first.is_some_and(|line| line.starts_with("//! ") || line.starts_with("#![doc"))
}

/// Where the `pub mod x;` of this file may stand.
fn public_modules(file: &File) -> Vec<String> {
    let folder = match file.path.rsplit_once('/') {
        Some((folder, "lib.rs" | "main.rs" | "mod.rs")) => folder.to_owned(),
        _ => file.path.trim_end_matches(".rs").to_owned(),
    };
    let code = code_only(&file.text);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("pub mod ") {
        let tail = &code[at + "pub mod ".len()..];
        let name: String = tail.chars().take_while(|c| is_word(*c)).collect();
        if tail[name.len()..].starts_with(';') {
            found.push(format!("{folder}/{name}.rs"));
            found.push(format!("{folder}/{name}/mod.rs"));
        }
    }
    found
}

/// Source files that no longer fit a mind.
pub fn too_long(file: &File) -> Vec<Problem> {
    let lines = file.text.lines().count();
    if file.source_of().is_none() || lines <= LINES_MAX {
        return Vec::new();
    }
    let what = format!("{lines} lines; {LINES_MAX} are the most");
    vec![Problem::new(place(file, lines), what, "split it along what changes together")]
}

/// Tabs, which every editor shows differently.
pub fn tabs(file: &File) -> Vec<Problem> {
    let hits = file.text.lines().enumerate().filter(|(_, line)| line.contains('\t'));
    hits.map(|(at, _)| Problem::new(place(file, at + 1), "a tab", "write spaces; in a string write \\t"))
        .collect()
}

/// Floats in `file`, unless the list allows them.
pub fn floats(file: &File, allowed: &[(&str, &str)]) -> Vec<Problem> {
    let watched = WITHOUT_FLOATS.iter().any(|folder| file.path.starts_with(folder));
    if !watched || file.source_of().is_none() || allowed.iter().any(|(path, _)| *path == file.path) {
        return Vec::new();
    }
    let code = code_only(&file.text);
    let code = without_tests(&code);
    let remedy = "use erp_core::Decimal and erp_core::exact; if it is no money, list the file with a reason";
    float_words(code).map(|at| at_line(file, code, at, "a float", remedy)).collect()
}

fn float_words(code: &str) -> impl Iterator<Item = usize> {
    words(code)
        .into_iter()
        .filter(|(at, word)| {
            let typed = word.split('_').any(|part| part == "f32" || part == "f64");
            let digits = word.starts_with(|c: char| c.is_ascii_digit());
            let suffixed = digits && (word.ends_with("f32") || word.ends_with("f64"));
            typed || suffixed || digits && is_float_literal(code, *at, word)
        })
        .map(|(at, _)| at)
}

/// `1.5`, but neither `x.0.1` nor `1..5`.
fn is_float_literal(code: &str, at: usize, word: &str) -> bool {
    let mut after = code[at + word.len()..].chars();
    let fraction = after.next() == Some('.') && after.next().is_some_and(|c| c.is_ascii_digit());
    fraction && !code[..at].ends_with('.')
}

/// Allowances that nothing needs any more.
pub fn stale_allowances(files: &[File], allowed: &[(&str, &str)]) -> Vec<Problem> {
    let used = |path: &str| files.iter().any(|file| file.path == path && !floats(file, &[]).is_empty());
    allowed
        .iter()
        .filter(|(path, reason)| !used(path) || reason.trim().is_empty())
        .map(|(path, _)| {
            Problem::new(*path, "needs no allowance for floats, or gives no reason", "mend the row")
        })
        .collect()
}

/// A vendor's name in the code of the engine.
pub fn vendor_names(file: &File) -> Vec<Problem> {
    if file.source_of() != Some("crates/sync-engine") {
        return Vec::new();
    }
    let code = code_only(&file.text);
    let code = without_tests(&code);
    let remedy = "say it through a role, a capability or a policy: the engine must fit a back end unheard of";
    words(code)
        .into_iter()
        .filter(|(_, word)| parts(word).iter().any(|part| VENDORS.contains(&part.as_str())))
        .map(|(at, word)| at_line(file, code, at, &format!("names a vendor: {word}"), remedy))
        .collect()
}

/// `SapClient` and `sap_client` are both `sap`, `client`.
fn parts(word: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before = ' ';
    for c in word.chars() {
        if c == '_' || c.is_uppercase() && !before.is_uppercase() {
            parts.push(String::new());
        }
        if let (true, Some(last)) = (c != '_', parts.last_mut()) {
            last.extend(c.to_lowercase());
        }
        before = c;
    }
    parts
}

fn place(file: &File, line: usize) -> String {
    format!("{}:{line}", file.path)
}

fn at_line(file: &File, code: &str, at: usize, what: &str, remedy: &str) -> Problem {
    Problem::new(place(file, line_of(code, at)), what, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> File {
        File::new("crates/sync-engine/src/a.rs", text)
    }

    fn whats(problems: &[Problem]) -> Vec<&str> {
        problems.iter().map(|problem| problem.what.as_str()).collect()
    }

    #[track_caller]
    fn forbids(text: &str, expect: &[&str]) {
        assert_eq!(whats(&forbidden(&source(text))), expect, "{text}");
    }

    #[test]
    fn stubs_and_silenced_lints() {
        forbids("fn a() { todo!() }", &["todo!"]);
        forbids("fn a() { unimplemented!(\"later\") }", &["unimplemented!"]);
        forbids("fn a() { dbg!(1); }", &["dbg!"]);
        forbids("fn a() { assert!(true); }", &["an assertion that cannot fail"]);
        forbids("fn a() { let todo = 1; assert!(truthful()); } // todo!", &[]);
        forbids("#[ignore]\nfn a() {}", &["an ignored test"]);
        forbids("#[ignore = \"slow\"]\nfn a() {}", &["an ignored test"]);
        forbids("#[cfg_attr(windows, ignore)]\nfn a() {}", &["an ignored test"]);
        forbids("#![allow(dead_code)]", &["#[allow]"]);
        forbids("#[expect(dead_code)]", &["#[expect] without a reason"]);
        forbids("#[expect(dead_code, reason = \"x\")]", &[]);
        forbids("#[serde(default, flatten)]", &["serde flatten or untagged"]);
        forbids("#[serde(untagged)]", &["serde flatten or untagged"]);
        forbids("#[serde(rename = \"untagged\")]", &[]);
        forbids("//! not `#[serde(flatten)]`", &[]);
    }

    #[test]
    fn ignored_doc_examples() {
        assert_eq!(
            ignored_examples(&source("/// ```ignore\n/// x\n/// ```"))[0].place,
            "crates/sync-engine/src/a.rs:1"
        );
        assert_eq!(ignored_examples(&source("//! ```rust, ignore")).len(), 1);
        assert_eq!(ignored_examples(&source("/// ```no_run\n/// let ignore = 1;")), []);
    }

    #[test]
    fn a_public_module_says_what_it_is_for() {
        let files = |child: &str| {
            [
                File::new("crates/a/src/lib.rs", "//! The crate.\npub mod b;\nmod c;\npub mod d { }"),
                File::new("crates/a/src/b.rs", child),
                File::new("crates/a/src/b/e.rs", "no docs"),
                File::new("crates/a/src/c.rs", "no docs"),
            ]
        };
        assert_eq!(module_docs(&files("//! B.\npub mod f;")), []);
        assert_eq!(module_docs(&files("use x;\n//! B."))[0].place, "crates/a/src/b.rs:1");
        let nested = module_docs(&files("//! B.\npub mod e;"));
        assert_eq!(nested.len(), 1);
        assert_eq!(nested[0].place, "crates/a/src/b/e.rs:1");
        assert_eq!(module_docs(&[File::new("crates/a/src/lib.rs", "")]).len(), 1);
        assert_eq!(module_docs(&[File::new("crates/a/src/x/mod.rs", "")]), []);
    }

    #[test]
    fn a_file_fits_a_mind() {
        assert_eq!(too_long(&source(&"x\n".repeat(LINES_MAX))), []);
        assert_eq!(too_long(&source(&"x\n".repeat(LINES_MAX + 1))).len(), 1);
        let test = File::new("crates/a/tests/it/main.rs", "x\n".repeat(LINES_MAX + 1));
        assert_eq!(too_long(&test), []);
    }

    #[test]
    fn tabs_are_found() {
        assert_eq!(tabs(&source("a\n\tb"))[0].place, "crates/sync-engine/src/a.rs:2");
        assert_eq!(tabs(&source("a\n    \"\\t\"")), []);
    }

    #[track_caller]
    fn has_float(text: &str, expect: usize) {
        assert_eq!(floats(&source(text), &[]).len(), expect, "{text}");
    }

    #[test]
    fn floats_are_found_in_every_disguise() {
        has_float("let a: f64 = x;", 1);
        has_float("value.as_f64()", 1);
        has_float("let a = 1.5;", 1);
        has_float("let a = 2f32;", 1);
        has_float("let a = 1_f64;", 1);
        has_float("for i in 1..5 { x.0.1; \"1.5\"; } // f64", 0);
        has_float("let a = 0xf64;", 1);
        has_float("#[cfg(test)]\nmod tests { const A: f64 = 1.0; }", 0);
        let file = source("let a: f64;");
        assert_eq!(floats(&file, &[("crates/sync-engine/src/a.rs", "a rate")]), []);
        assert_eq!(floats(&File::new("crates/erp-testkit/src/a.rs", "f64"), &[]), []);
    }

    #[test]
    fn an_allowance_is_needed_and_has_a_reason() {
        let files = [source("let a: f64;")];
        assert_eq!(stale_allowances(&files, &[("crates/sync-engine/src/a.rs", "a rate")]), []);
        assert_eq!(stale_allowances(&files, &[("crates/sync-engine/src/a.rs", " ")]).len(), 1);
        assert_eq!(stale_allowances(&files, &[("crates/sync-engine/src/b.rs", "gone")]).len(), 1);
    }

    #[test]
    fn the_engine_names_no_vendor() {
        let found =
            vendor_names(&source("struct SapOrder; // sap\nfn to_magento() {}\nlet sapling = \"sap\";"));
        assert_eq!(whats(&found), ["names a vendor: SapOrder", "names a vendor: to_magento"]);
        assert_eq!(found[1].place, "crates/sync-engine/src/a.rs:2");
        assert_eq!(vendor_names(&File::new("crates/sap-odata/src/a.rs", "struct SapOrder;")), []);
    }
}
