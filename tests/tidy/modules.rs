//! Which module may import which, read from every `crate::` and `super::` path of the source, not from `use` lines
//! only; and the map of the modules in ARCHITECTURE.md.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};

/// The modules that each top-level module names, by its name.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// A source file without its comments and tests.
struct Source {
    /// The names of its module and of those around it, outermost first.
    module: Vec<String>,
    text: String,
}

/// What each module imports, from the bottom up: nothing but modules above it in this table, so there is no cycle.
const ALLOWED: &[(&str, &str)] = &[
    ("checksum", ""),
    ("codec", ""),
    ("encoding", ""),
    ("lock", ""),
    ("pace", ""),
    ("packed", ""),
    ("rank", ""),
    ("error", "codec rank"),
    ("host", "rank"),
    ("ids", "rank"),
    ("image", "error"),
    ("comm", "error lock rank"),
    ("files", "host"),
    ("part", "ids"),
    ("running", "ids"),
    ("units", "error"),
    ("allocator", "comm"),
    ("cluster", "host rank units"),
    ("disk", "comm error files host ids lock units"),
    ("message", "codec error ids packed part rank"),
    ("picture", "error files"),
    ("device", "cluster error files ids lock part rank running units"),
    ("log", "cluster lock"),
    ("record", "cluster codec comm disk error files host ids lock message picture rank units"),
    ("scheduler", "error ids message pace packed rank"),
    ("session", "comm error files host lock rank"),
    ("clusters", "error host session"),
    ("value", "codec comm device disk encoding ids image lock part"),
    ("store", "checksum comm ids message part rank value"),
    ("task", "error ids image packed part value"),
    ("journal", "codec comm error files ids lock message task units value"),
    (
        "client",
        "cluster comm error files ids image journal lock message packed part picture rank record running store task units value",
    ),
    ("current", "client device error files ids lock rank running task"),
    ("module", "client current error ids image lock task value"),
    ("repeat", "client current error ids message packed part rank running task value"),
    ("dashboard", "client cluster error host ids lock log rank record"),
    ("array", "client cluster codec current device error ids message packed part picture task units value"),
    (
        "worker",
        "current disk error host ids journal lock message module pace packed part rank record store task units value",
    ),
    ("fuzzing", "array comm disk journal lock message part rank record session value"),
    (
        "runtime",
        "checksum client cluster codec comm current dashboard device disk error files host ids journal lock log message packed part rank record running scheduler session store task units value worker",
    ),
    ("info", "cluster comm device error host rank runtime units"),
    ("internals", "comm fuzzing ids journal message packed record runtime scheduler"),
    ("prelude", "array client cluster current error runtime task units"),
];

#[test]
fn modules_import_what_the_table_allows() {
    let imports = imports();
    let listed: BTreeSet<&str> = ALLOWED.iter().map(|(module, _)| *module).collect();
    assert_eq!(listed, imports.keys().map(String::as_str).collect());
    let mut below = BTreeSet::new();
    for (module, allowed) in ALLOWED {
        let allowed: BTreeSet<&str> = allowed.split_whitespace().collect();
        let found: BTreeSet<&str> = imports[*module].iter().map(String::as_str).collect();
        assert_eq!(found, allowed, "what {module} imports, and what the table allows");
        let above: Vec<_> = allowed.difference(&below).collect();
        assert!(above.is_empty(), "{module} imports {above:?}, which the table has after it");
        below.insert(module);
    }
}

/// The table of ARCHITECTURE.md: each module, the first sentence of its documentation, and what it imports.
fn map() -> String {
    let mut text = String::from("| module | what | imports |\n|---|---|---|\n");
    for (module, allowed) in ALLOWED {
        let imports =
            allowed.split_whitespace().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        text += &format!("| `{module}` | {} | {imports} |\n", summary(module));
    }
    text
}

/// The first sentence of a module's documentation.
fn summary(module: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let file = [root.join(module).join("mod.rs"), root.join(module).with_extension("rs")];
    let path = file.iter().find(|path| path.exists()).unwrap_or_else(|| panic!("{module} has no file"));
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let first = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    first.split_inclusive(". ").next().unwrap_or_default().trim().trim_end_matches('.').to_string()
}

#[test]
fn the_map_of_the_modules_is_that_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- modules: written by tests/tidy -->\n", "<!-- end of modules -->\n");
    let (before, rest) = text.split_once(begin).expect("ARCHITECTURE.md has a map of the modules");
    let (_, after) = rest.split_once(end).expect("the map has an end");
    let expected = format!("{before}{begin}{}{end}{after}", map());
    if env::var_os("MANIPLE_UPDATE").is_some() {
        fs::write(&path, &expected).unwrap();
    } else {
        assert!(text == expected, "the map is old: MANIPLE_UPDATE=1 cargo test --test tidy writes it");
    }
}

/// Reads which top-level modules of the library import which.
fn imports() -> Imports {
    let sources = sources("");
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

/// The module and the text of each source file of the library in a folder of the repository, without comments and
/// tests.
pub(crate) fn texts(package: &str) -> Vec<(Vec<String>, String)> {
    sources(package).into_iter().map(|source| (source.module, source.text)).collect()
}

fn sources(package: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(package).join("src");
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
    // What has no `::` is a crate that is exported whole.
    let statements =
        text.split(';').filter_map(|statement| statement.split_once("pub use ")?.1.split_once("::"));
    for (module, items) in statements {
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
