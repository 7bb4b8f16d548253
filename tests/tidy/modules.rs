//! Which module imports which: read from every `crate::` and `super::` path of the source, not from `use` lines only.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The modules that each top-level module names, by its name.
pub(crate) type Imports = BTreeMap<String, BTreeSet<String>>;

/// A source file without its comments and tests.
struct Source {
    /// The names of its module and of those around it, outermost first.
    module: Vec<String>,
    text: String,
}

/// The modules that still import each other in a circle.
const CYCLE: [&str; 8] = ["array", "client", "current", "device", "journal", "store", "task", "value"];

/// Reads which top-level modules of the library import which.
pub(crate) fn imports() -> Imports {
    let sources = sources();
    let mut names: BTreeSet<String> =
        sources.iter().filter_map(|source| source.module.first().cloned()).collect();
    names.remove("lib");
    let exports = exports(&names);
    let mut imports = Imports::new();
    for source in &sources {
        let Some(module) = source.module.first() else { continue };
        let imported = imports.entry(module.clone()).or_default();
        for name in paths(source) {
            let target = if names.contains(&name) { Some(&name) } else { exports.get(&name) };
            imported.extend(target.filter(|target| *target != module).cloned());
        }
    }
    imports
}

/// The modules that import each other, directly or through others; empty if there is no cycle.
pub(crate) fn cycle(imports: &Imports) -> Vec<String> {
    let mut left = imports.clone();
    loop {
        let is_imported = |module: &str| left.values().any(|imported| imported.contains(module));
        let is_outside = |module: &str, imported: &BTreeSet<String>| {
            !is_imported(module) || imported.iter().all(|name| !left.contains_key(name))
        };
        let outside: BTreeSet<String> = left
            .iter()
            .filter(|(module, imported)| is_outside(module, imported))
            .map(|(module, _)| module.clone())
            .collect();
        if outside.is_empty() {
            return left.into_keys().collect();
        }
        left.retain(|name, _| !outside.contains(name));
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if is_of_the_library(&root, &path) {
            let module = module_of(path.strip_prefix(&root).unwrap());
            found.push(Source {
                module,
                text: without_tests_and_comments(&fs::read_to_string(&path).unwrap()),
            });
        }
    }
    found
}

fn is_of_the_library(root: &Path, path: &Path) -> bool {
    let is_test = path.components().any(|part| {
        let name = part.as_os_str().to_string_lossy();
        name == "tests" || name == "tests.rs" || name.ends_with("_tests.rs")
    });
    let is_program = path.starts_with(root.join("bin"));
    path.extension().is_some_and(|extension| extension == "rs") && !is_test && !is_program
}

/// `array/kernel/mod.rs` is `[array, kernel]`, `lib.rs` is the root, `[]`.
fn module_of(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(names.last().map(String::as_str), Some("mod" | "lib")) {
        names.pop();
    }
    names
}

fn without_tests_and_comments(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code = |line: &&str| !line.trim_start().starts_with("//");
    text.lines()
        .filter(code)
        .map(|line| line.split(" // ").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// What each name that the root exports is defined in: `pub use error::{Error, Result}`.
fn exports(names: &BTreeSet<String>) -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let text = without_tests_and_comments(&fs::read_to_string(root).unwrap());
    let mut exports = BTreeMap::new();
    for statement in text.split(';').filter_map(|statement| statement.split_once("pub use ")) {
        let (module, items) = statement.1.split_once("::").unwrap_or((statement.1, ""));
        assert!(names.contains(module), "the root exports from {module}, which is no module");
        for item in items.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|item| !item.is_empty()) {
            exports.insert(item.to_string(), module.to_string());
        }
    }
    exports
}

/// The first names of all paths from the root: `crate::a::b` and `super::super::{a, b}` name `a` and `b`.
fn paths(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let bytes = source.text.as_bytes();
    let is_word =
        |place: usize| bytes.get(place).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    for (place, _) in source.text.match_indices("crate::") {
        if place == 0 || !is_word(place - 1) {
            found.extend(first_names(&source.text[place + "crate::".len()..]));
        }
    }
    // From a file of depth n, n times `super::` is the root.
    let climb = "super::".repeat(source.module.len());
    for (place, _) in source.text.match_indices(&climb).filter(|_| !climb.is_empty()) {
        let is_longer = source.text[..place].ends_with("super::");
        if !is_longer && (place == 0 || !is_word(place - 1)) {
            let rest = &source.text[place + climb.len()..];
            if !rest.starts_with("super::") {
                found.extend(first_names(rest));
            }
        }
    }
    found
}

/// The first names of a use tree: `a::b` names `a`, `{a, b::{c, d}}` names `a` and `b`.
fn first_names(tree: &str) -> Vec<String> {
    let name = |text: &str| {
        let text = text.trim_start();
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        text[..end].to_string()
    };
    let Some(inside) = tree.trim_start().strip_prefix('{') else { return vec![name(tree)] };
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (place, character) in inside.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(name(&inside[start..place]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(name(&inside[start..place]));
                start = place + 1;
            }
            _ => {}
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

#[test]
fn names_are_read_from_nested_use_trees() {
    assert_eq!(first_names("a::b::C"), ["a"]);
    assert_eq!(first_names("{a, b::{c, d::{E, F}}, g::h,\n}"), ["a", "b", "g"]);
    let source = |module: &[&str], text: &str| Source {
        module: module.iter().map(ToString::to_string).collect(),
        text: text.to_string(),
    };
    assert_eq!(paths(&source(&["x", "y"], "use super::{p, q}; super::super::r::s()")), ["r"]);
    assert_eq!(paths(&source(&["x"], "use super::{p, q}; crate::t::u")), ["t", "p", "q"]);
    assert_eq!(module_of(&PathBuf::from("array/kernel/mod.rs")), ["array", "kernel"]);
}

#[test]
fn cycles_are_found() {
    let of = |edges: &[(&str, &str)]| {
        let mut imports = Imports::new();
        for (from, to) in edges {
            imports.entry(from.to_string()).or_default().insert(to.to_string());
            imports.entry(to.to_string()).or_default();
        }
        cycle(&imports)
    };
    assert_eq!(of(&[("a", "b"), ("b", "c")]), [""; 0]);
    assert_eq!(of(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")]), ["a", "b", "c"]);
}

#[test]
fn no_module_joins_the_cycle() {
    let cycle = cycle(&imports());
    assert!(cycle.iter().all(|module| CYCLE.contains(&module.as_str())), "{cycle:?} import each other");
}
