//! The shells in which job scripts are written, and how strings are quoted in them.

use super::{JobError, Walltime, quantity::through_text};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The shell of a job script: its first line, and the family whose syntax it reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shell {
    shebang: String,
    is_csh: bool,
}

through_text!(Shell);

impl Default for Shell {
    fn default() -> Self {
        Self { shebang: "#!/bin/bash".into(), is_csh: false }
    }
}

impl FromStr for Shell {
    type Err = JobError;

    /// Reads `bash`, `/bin/tcsh`, `#!/bin/bash -l` or `/usr/bin/env bash`.
    fn from_str(text: &str) -> Result<Self, JobError> {
        let unknown =
            || JobError::option("--shell", format!("'{text}' is not one of bash, sh, ksh, zsh, tcsh, csh"));
        if text.chars().any(char::is_control) {
            return Err(unknown());
        }
        let line = text.strip_prefix("#!").unwrap_or(text).trim();
        let names = line.split_whitespace().filter(|word| !word.starts_with('-'));
        let mut names =
            names.map(|word| word.rsplit('/').next().unwrap_or(word)).filter(|name| *name != "env");
        let name = names.next().ok_or_else(unknown)?;
        let is_csh = match name {
            "bash" | "sh" | "dash" | "ksh" | "zsh" => false,
            "tcsh" | "csh" => true,
            _ => return Err(unknown()),
        };
        let shebang = if line.starts_with('/') { format!("#!{line}") } else { format!("#!/bin/{line}") };
        Ok(Self { shebang, is_csh })
    }
}

impl fmt::Display for Shell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shebang)
    }
}

impl Shell {
    /// Quotes a string so that the shell passes it on unchanged.
    pub fn quote(&self, text: &str) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+:,./-=".contains(c);
        if !text.is_empty() && !text.starts_with('=') && text.chars().all(is_plain) {
            return text.into();
        }
        let mut quoted = String::from("'");
        for c in text.chars() {
            match c {
                '\'' => quoted.push_str(r"'\''"),
                // The C shell looks for history and ends a string at a line's end even in single
                // quotes.
                '!' | '\n' if self.is_csh => quoted.extend(['\\', c]),
                _ => quoted.push(c),
            }
        }
        quoted.push('\'');
        quoted
    }

    /// Quotes a string, but lets `$NAME` and `${NAME}` in it be replaced when the job runs.
    pub fn quote_path(&self, text: &str) -> String {
        if !text.contains('$') {
            return self.quote(text);
        }
        let mut quoted = String::new();
        let mut rest = text;
        while let Some(start) = rest.find('$') {
            let after = &rest[start + 1..];
            let length = if after.starts_with('{') {
                after.find('}').map_or(0, |end| end + 1)
            } else {
                after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len())
            };
            let name = after[..length].trim_matches(['{', '}']);
            let literal = &rest[..start + usize::from(!is_variable_name(name))];
            if !literal.is_empty() {
                quoted.push_str(&self.quote(literal));
            }
            if is_variable_name(name) {
                quoted.push_str(&format!("\"${{{name}}}\""));
                rest = &after[length..];
            } else {
                rest = after;
            }
        }
        if !rest.is_empty() {
            quoted.push_str(&self.quote(rest));
        }
        quoted
    }

    /// The line that gives an environment variable an already quoted value.
    pub(super) fn set(&self, name: &str, quoted: &str) -> String {
        if self.is_csh { format!("setenv {name} {quoted}") } else { format!("export {name}={quoted}") }
    }

    /// The time at which a job ends that begins now, in seconds since 1970.
    pub(super) fn end_time(&self, walltime: Walltime) -> String {
        let command = format!("date -d '+{} seconds' +%s", walltime.0);
        if self.is_csh { format!("`{command}`") } else { format!("$({command})") }
    }

    /// The line that keeps what a command prints in a variable of the shell.
    pub(super) fn keep_output(&self, name: &str, command: &str) -> String {
        if self.is_csh { format!("set {name} = `{command}`") } else { format!("{name}=$({command})") }
    }

    /// The line after which a signal to all of a job, at its walltime say, does not end the script
    /// before the program.
    ///
    /// The C shell has none: it can only let the program take its place.
    pub(super) fn outlives_signals(&self) -> Option<&'static str> {
        (!self.is_csh).then_some("trap : INT TERM USR1")
    }

    /// The line that keeps the exit status of the command before in the variable `run_status`.
    pub(super) fn keep_status(&self) -> &'static str {
        if self.is_csh { "set run_status = $status" } else { "run_status=$?" }
    }
}

/// Whether an environment variable can have this name.
pub(super) fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{process::Command, time::SystemTime};

    const STRINGS: [&str; 14] = [
        "plain",
        "",
        "two words",
        "it's",
        "a\"b",
        "$HOME",
        "`id`",
        "back\\slash",
        "what!now",
        "!!",
        "~",
        "=x",
        "a\nb",
        "*?[x]{a,b};|&<>()#é",
    ];

    /// Has the shell print its quoted arguments, or returns `None` where it is not installed.
    fn said_by(program: &str, script: &str) -> Option<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("script");
        std::fs::write(&path, script).unwrap();
        let output = Command::new(program).arg(&path).env("PLACE", "/a b/$c").output().ok()?;
        assert!(output.status.success(), "{program}: {}\n{script}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8(output.stdout).unwrap())
    }

    fn check(program: &str) {
        let shell: Shell = program.parse().unwrap();
        for text in STRINGS {
            let set = shell.set("VALUE", &shell.quote(text));
            let script = format!("{set}\nprintf '%s\\n' {}\nprintenv VALUE\n", shell.quote(text));
            match said_by(program, &script) {
                Some(said) => assert_eq!(said, format!("{text}\n{text}\n"), "{program}: {set}"),
                None if std::env::var_os("CI").is_some() => panic!("{program} is not installed"),
                None => return eprintln!("skipped: {program} is not installed"),
            }
        }
        let end = said_by(program, &format!("printf %s {}", shell.end_time(Walltime(90)))).unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        assert!((now + 60..=now + 91).contains(&end.parse().unwrap()), "{program}: {end}, and now is {now}");
        let script = format!("printf %s {}", shell.quote_path("$PLACE/it's $5 ${PLACE}!"));
        assert_eq!(said_by(program, &script).unwrap(), "/a b/$c/it's $5 /a b/$c!");
    }

    #[test]
    fn bash_gets_every_string_unchanged() {
        check("bash");
    }

    #[test]
    fn tcsh_gets_every_string_unchanged() {
        check("tcsh");
    }

    #[test]
    fn a_shell_is_a_name_a_path_or_a_first_line() {
        let table = [
            ("bash", "#!/bin/bash", false),
            ("#!/bin/tcsh", "#!/bin/tcsh", true),
            ("/bin/bash -l", "#!/bin/bash -l", false),
            ("#!/usr/bin/env bash", "#!/usr/bin/env bash", false),
            ("tcsh", "#!/bin/tcsh", true),
        ];
        for (text, shebang, is_csh) in table {
            assert_eq!(text.parse::<Shell>().unwrap(), Shell { shebang: shebang.into(), is_csh });
        }
        for text in ["", "fish", "python", "bash\nrm"] {
            assert!(text.parse::<Shell>().is_err(), "{text}");
        }
    }
}
