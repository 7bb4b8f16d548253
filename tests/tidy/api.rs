//! What users can name: a change of it shows in the file `public-api.txt`.
//!
//! The lint `unreachable_pub` sees to it that `pub` items are reachable, so that reading them is enough. Of modules
//! that are private or `#[doc(hidden)]` only what public ones export counts. Implementations of traits are not listed.

use crate::modules::texts;
use std::{collections::BTreeSet, env, fs, path::Path};

/// The folder of each library, and the file that has its public items.
const LIBRARIES: [(&str, &str); 2] =
    [("", "tests/tidy/public-api.txt"), ("command", "tests/tidy/public-api-command.txt")];

/// A reader of one file's public items.
struct Reader<'a> {
    lines: Vec<&'a str>,
    module: &'a str,
    /// The implementation, trait or structure that the items belong to, and how far it is indented.
    context: Option<(usize, String)>,
    found: BTreeSet<String>,
}

impl Reader<'_> {
    fn read(mut self) -> BTreeSet<String> {
        let (mut is_hidden, mut is_open) = (false, false);
        for place in 0..self.lines.len() {
            let line = self.lines[place];
            let text = line.trim_start();
            let indent = line.len() - text.len();
            if text.starts_with("#[") {
                is_hidden |= text.starts_with("#[doc(hidden)]");
                is_open |= text.starts_with("#[non_exhaustive]");
                continue;
            }
            if text.is_empty() || text.starts_with("//") {
                continue;
            }
            self.item(place, indent, text, (is_hidden, is_open));
            (is_hidden, is_open) = (false, false);
        }
        self.found
    }

    fn item(&mut self, place: usize, indent: usize, text: &str, (is_hidden, is_open): (bool, bool)) {
        if self.context.as_ref().is_some_and(|(outer, _)| indent <= *outer) {
            self.context = None;
        }
        let starts_with_any = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
        let of_private = |context: &str| !context.starts_with("pub ") && !context.starts_with("impl");
        let (is_private, is_member) = match &self.context {
            Some((_, context)) if of_private(context) => (true, false),
            Some((outer, context)) if context.starts_with("pub trait") && indent == outer + 4 => {
                (false, starts_with_any(&["fn ", "type ", "const "]))
            }
            _ => (false, false),
        };
        if (text.starts_with("pub ") || is_member) && !is_hidden && !is_private {
            let is_enum = text.starts_with("pub enum ");
            let item = if is_enum { self.whole(place, indent) } else { self.signature(place).0 };
            let context = self.context.as_ref().map_or(String::new(), |(_, context)| format!("{context} | "));
            let open = if is_open { "#[non_exhaustive] " } else { "" };
            self.found.insert(format!("{}: {context}{open}{item}", self.module));
        }
        let is_type = [" struct ", " trait "].iter().any(|word| format!(" {text}").contains(word));
        if is_type || text.starts_with("impl") {
            let (signature, end) = self.signature(place);
            if end == '{' && !(text.starts_with("impl") && signature.contains(" for ")) {
                self.context = Some((indent, signature));
            }
        }
    }

    /// An item up to its body, on one line, and the character that ends it.
    fn signature(&self, place: usize) -> (String, char) {
        let mut depth = 0;
        let mut text = String::new();
        // The imports of an exported name are braces that are no body.
        let is_use = self.lines[place].trim_start().starts_with("pub use ");
        for line in self.lines[place..].iter().filter(|line| !line.trim_start().starts_with("//")) {
            for character in line.trim().chars() {
                let angles = text.replace("->", "");
                let is_generic = angles.matches('<').count() > angles.matches('>').count();
                let is_within = depth > 0 || is_generic || text.contains(" where ");
                match character {
                    '(' | '[' => depth += 1,
                    ')' | ']' => depth -= 1,
                    ';' if depth == 0 => return (tidied(&text), ';'),
                    '{' if depth == 0 && !is_use => return (tidied(&text), '{'),
                    ',' if !is_within && !is_use => return (tidied(&text), ','),
                    _ => {}
                }
                text.push(character);
            }
            text.push(' ');
        }
        (tidied(&text), ' ')
    }

    /// An item with its body, on one line.
    fn whole(&self, place: usize, indent: usize) -> String {
        let end = format!("{}}}", " ".repeat(indent));
        let rest = self.lines[place..].iter();
        let is_code = |line: &str| !line.starts_with("//") && !line.starts_with("#[");
        let body = rest.take_while(|line| **line != end).map(|line| line.trim()).filter(|line| is_code(line));
        body.collect::<Vec<_>>().join(" ") + " }"
    }
}

/// The public items of a text.
fn items(module: &str, text: &str) -> BTreeSet<String> {
    Reader { lines: text.lines().collect(), module, context: None, found: BTreeSet::new() }.read()
}

/// A signature as if it had been written on one line.
fn tidied(text: &str) -> String {
    [("( ", "("), (", )", ")"), ("{ ", "{"), (", }", "}"), ("< ", "<"), (", >", ">")]
        .iter()
        .fold(text.trim().to_string(), |text, (from, to)| text.replace(from, to))
}

/// The names in the statements of a text that begin so, except for hidden ones.
fn used(text: &str, start: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (place, _) in text.match_indices(start) {
        if !text[..place].trim_end().ends_with("#[doc(hidden)]") {
            let names = text[place + start.len()..].split(';').next().unwrap_or_default();
            let names = names.split(|c: char| !c.is_alphanumeric() && c != '_');
            found.extend(names.filter(|name| !name.is_empty()).map(ToString::to_string));
        }
    }
    found
}

/// The name of an item, or of the type or trait that it belongs to.
fn name(item: &str) -> &str {
    let (_, item) = item.split_once(": ").unwrap_or_default();
    let mut rest = item.trim_start_matches("impl");
    if rest.starts_with('<') {
        let mut depth = 0;
        let end = rest.find(|c: char| {
            depth += i32::from(c == '<') - i32::from(c == '>');
            depth == 0
        });
        rest = &rest[end.map_or(0, |end| end + 1)..];
    }
    for word in ["#[non_exhaustive] ", "pub ", "struct ", "enum ", "trait ", "fn ", "type ", "const "] {
        rest = rest.trim_start().trim_start_matches(word);
    }
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

fn api(package: &str) -> String {
    // What stands for a feature that was not built has the public items of the feature.
    let mut texts = texts(package);
    texts.retain(|(module, _)| module.last().is_none_or(|file| file != "absent"));
    let root = texts.iter().find(|(module, _)| module.is_empty()).map(|(_, text)| text.as_str()).unwrap();
    let is_open = |module: &str| {
        let place = root.find(&format!("\npub mod {module};"));
        place.is_some_and(|place| !root[..place].ends_with("#[doc(hidden)]"))
    };
    let mut exports = used(root, "pub use ");
    for (module, text) in &texts {
        if module.first().is_some_and(|module| is_open(module)) {
            exports.extend(used(text, "pub use crate::"));
        }
    }
    let mut found = BTreeSet::new();
    for (module, text) in &texts {
        let module = module.first().map_or("crate", String::as_str);
        let counts = |item: &String| match module {
            "crate" => true,
            // What it uses is counted by its name, where it is.
            _ if item.contains(": pub use absent::") => false,
            _ if item.contains(": pub use ") => is_open(module),
            _ => is_open(module) || exports.contains(name(item)),
        };
        found.extend(items(module, text).into_iter().filter(counts));
    }
    found.into_iter().map(|line| line + "\n").collect()
}

#[test]
fn the_public_surface_is_that_of_the_file() {
    for (package, file) in LIBRARIES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let expected = api(package);
        if env::var_os("MANIPLE_UPDATE").is_some() {
            fs::write(&path, &expected).unwrap();
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let known: BTreeSet<&str> = text.lines().collect();
        let found: BTreeSet<&str> = expected.lines().collect();
        let (gone, new): (Vec<_>, Vec<_>) =
            (known.difference(&found).collect(), found.difference(&known).collect());
        assert!(
            gone.is_empty() && new.is_empty(),
            "the public surface has changed: MANIPLE_UPDATE=1 cargo test --test tidy writes {file}\n\
             gone: {gone:#?}\nnew: {new:#?}"
        );
    }
}

#[test]
fn enums_can_have_more_variants_later() {
    let api = api("");
    let closed: Vec<&str> = api.lines().filter(|line| line.contains(": pub enum ")).collect();
    assert!(closed.is_empty() && api.contains(": #[non_exhaustive] pub enum "), "{closed:#?}");
}

#[test]
fn internals_are_hidden_in_one_module_that_users_do_not_build() {
    let texts = texts("");
    let (_, root) = texts.iter().find(|(module, _)| module.is_empty()).unwrap();
    let places: Vec<usize> = root.match_indices("#[doc(hidden)]\npub mod ").map(|(place, _)| place).collect();
    assert_eq!(places.len(), 1);
    let (before, after) = root.split_at(places[0]);
    assert!(before.ends_with("#[cfg(feature = \"testing\")]\n"));
    assert!(after.starts_with("#[doc(hidden)]\npub mod internals;"));
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let features = manifest.split("[features]").nth(1).unwrap().split("\n[").next().unwrap();
    let with_it: Vec<&str> =
        features.lines().filter(|line| !line.starts_with('#') && line.contains("testing")).collect();
    assert!(with_it.len() == 1 && with_it[0].starts_with("testing = "), "{with_it:?}");
}

#[test]
fn public_items_are_read_with_what_they_belong_to() {
    let text = "\
pub struct A<T> {
    pub x: Vec<(u8, T)>,
    y: u8,
}

impl<T> A<T> {
    /// Words.
    pub fn of(
        x: u8,
    ) -> Self {
        pub_like(x)
    }
    #[doc(hidden)]
    pub fn hidden(&self) {}
    pub(crate) fn inner(&self) {}
}

impl Drop for A<u8> {
    fn drop(&mut self) {}
}

pub trait B {
    fn b(&self) -> Result<u8, String>;
}

pub(crate) struct D {
    pub x: u8,
}

pub enum C {
    /// Words.
    One,
    Two(u8),
}
";
    let found: Vec<String> = items("m", text).into_iter().collect();
    let expected = [
        "m: impl<T> A<T> | pub fn of(x: u8) -> Self",
        "m: pub enum C { One, Two(u8), }",
        "m: pub struct A<T>",
        "m: pub struct A<T> | pub x: Vec<(u8, T)>",
        "m: pub trait B",
        "m: pub trait B | fn b(&self) -> Result<u8, String>",
    ];
    assert_eq!(found, expected);
}
