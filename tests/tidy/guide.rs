//! What README and the guide promise: chapters that exist and compile, links that lead somewhere, settings as in
//! the code, plain words.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Phrases that the field has its own words for.
const DIALECT: [&str; 22] = [
    "look after",
    "looks after",
    "lie down",
    "without a word",
    "in vain",
    "make again and again",
    "all alike",
    "the most bytes that",
    "travels with",
    "rides in",
    "go on with a run",
    "going on with a run",
    "gone on with",
    "are made again",
    "is made again",
    "let them live",
    "lets them live",
    "must bear",
    "draws the house",
    "nobody",
    "whoever",
    "is told that",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of the guide's chapters, in the order of its summary.
fn chapters() -> Vec<PathBuf> {
    let summary = read("docs/guide/src/SUMMARY.md");
    let links = links(&summary);
    assert!(links.len() > 10, "the summary lists the chapters");
    links.into_iter().map(|link| Path::new("docs/guide/src").join(link)).collect()
}

/// The targets of a text's Markdown links.
fn links(text: &str) -> Vec<&str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
}

/// A text without its fenced programs.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

#[test]
fn every_chapter_is_listed_and_compiled() {
    let mut listed: Vec<PathBuf> = chapters().iter().map(|path| root().join(path)).collect();
    listed.push(root().join("docs/guide/src/SUMMARY.md"));
    let mut files: Vec<PathBuf> =
        fs::read_dir(root().join("docs/guide/src")).unwrap().map(|entry| entry.unwrap().path()).collect();
    listed.sort();
    files.sort();
    assert_eq!(listed, files);
    let library = read("src/lib.rs");
    for chapter in chapters().iter().filter(|path| read(path).contains("```rust")) {
        let path = format!("\"../{}\"", chapter.display());
        assert!(library.contains(&path), "src/lib.rs compiles the programs of {path}");
    }
}

#[test]
fn links_lead_to_files() {
    let documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "jobs/README.md"];
    for document in documents.iter().map(PathBuf::from).chain(chapters()) {
        let text = prose(&read(&document));
        for link in links(&text).iter().filter(|link| !link.starts_with("http") && !link.starts_with('#')) {
            let target = root().join(document.parent().unwrap()).join(link.split('#').next().unwrap());
            assert!(target.exists(), "{} links to {link}, which does not exist", document.display());
        }
    }
}

#[test]
fn files_that_chapters_include_exist() {
    for chapter in chapters() {
        let text = read(&chapter);
        for rest in text.split("{{#include ").skip(1) {
            let target = rest.split("}}").next().unwrap().trim();
            let path = root().join(chapter.parent().unwrap()).join(target);
            assert!(path.exists(), "{} includes {target}, which does not exist", chapter.display());
        }
    }
}

#[test]
fn readme_is_short() {
    let words = read("README.md").split_whitespace().count();
    assert!(words <= 900, "README.md has {words} words; details belong into the guide");
}

#[test]
fn readme_and_guide_are_written_in_plain_english() {
    for document in [PathBuf::from("README.md")].into_iter().chain(chapters()) {
        let text = prose(&read(&document)).to_lowercase();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for phrase in DIALECT {
            assert!(!text.contains(phrase), "{} says {phrase:?}", document.display());
        }
    }
}

/// The doc comments before a method of the builder, up to the first sentence's end.
fn summary_of(source: &str, method: &str) -> String {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let is_method = |line: &&str| {
        line.strip_prefix("pub fn ").is_some_and(|rest| rest.split(['(', '<']).next() == Some(method))
    };
    let place = lines.iter().position(is_method);
    let place = place.unwrap_or_else(|| panic!("the builder has no method {method}"));
    let comment = |line: &&&str| line.starts_with("///") || line.starts_with("#[");
    let mut text: Vec<&str> = lines[..place].iter().rev().take_while(comment).copied().collect();
    text.reverse();
    let text: Vec<&str> = text
        .iter()
        .filter_map(|line| line.strip_prefix("///"))
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let text = text.join(" ");
    let first = text.split_inclusive(". ").next().unwrap_or_default().trim();
    without_links(first).trim_end_matches(['.', ':']).to_string()
}

/// `[name](target)` as `name`.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let (start, name) = before.rsplit_once('[').unwrap_or((before, ""));
        plain.extend([start, name]);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    plain + rest
}

/// The chapter on settings, from the table in the builder's documentation and its methods.
fn settings() -> String {
    let source = read("src/runtime/mod.rs");
    let methods = source.clone() + &read("src/runtime/serving.rs");
    let rows = source
        .lines()
        .skip_while(|line| *line != "/// | method | variable | default |")
        .skip(2)
        .take_while(|line| line.starts_with("/// |"));
    let mut text = String::from(
        "# Settings\n\n\
         Methods of `Runtime::builder()` and environment variables. A method takes precedence over its variable, and a \
         variable\nover the default. Variables count on every rank unless their description says otherwise.\n\
         A variable whose name is nearly one of these, such as `MANIPLE_REPROT`, is reported at the start.\n\n\
         | method | variable | default | meaning |\n|---|---|---|---|\n",
    );
    let mut count = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_start_matches("///").trim().trim_matches('|').split(" | ").collect();
        let [method, variable, default] = cells[..] else { panic!("three cells: {row}") };
        let method = without_links(method.trim());
        let name = method.trim_matches('`');
        let meaning = if name.is_empty() { String::new() } else { summary_of(&methods, name) };
        text += &format!("| {method} | {} | {} | {meaning} |\n", variable.trim(), default.trim());
        count += 1;
    }
    assert!(count > 20, "the builder's documentation has a table of settings");
    text
}

#[test]
fn the_chapter_on_settings_is_that_of_the_code() {
    let (path, expected) = ("docs/guide/src/settings.md", settings());
    if env::var_os("MANIPLE_UPDATE").is_some() {
        fs::write(root().join(path), &expected).unwrap();
    }
    assert!(read(path) == expected, "{path} is old: MANIPLE_UPDATE=1 cargo test --test tidy writes it");
}

/// The examples are a crate on the public API alone, so a file that names no other compiles in another crate, too.
#[test]
fn examples_can_be_copied() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_some_and(|end| end == "rs") && !entry.ends_with("build.rs") {
            let text = fs::read_to_string(&entry).unwrap();
            let other = text.lines().find(|line| line.starts_with("mod ") || line.contains("#[path"));
            assert_eq!(other, None, "{} needs another file", entry.display());
            count += 1;
        }
    }
    assert!(count > 10, "{count} examples");
}
