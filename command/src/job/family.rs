//! What directives ask for, so that a user's directive takes the place of the generated one that it contradicts.

use super::System;

/// One option of a directive, by its long name where it has one: `mem`, `-N`, or a resource of `-l`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub name: String,
    pub value: String,
}

/// What a directive, without its `#SBATCH` or `#PBS`, asks for.
pub(super) fn asked(system: System, directive: &str) -> Vec<Asked> {
    let mut words = words(directive).into_iter().peekable();
    let mut asked = Vec::new();
    while let Some(word) = words.next() {
        let Some((name, attached)) = option(&word) else { continue };
        let value = attached.or_else(|| words.next_if(|next| option(next).is_none())).unwrap_or_default();
        match system {
            System::Slurm => asked.push(Asked { name: long_name(&name).into(), value }),
            _ if name == "-l" => asked.extend(value.split(',').map(|resource| {
                let (name, value) = resource.split_once('=').unwrap_or((resource, ""));
                Asked { name: name.into(), value: value.into() }
            })),
            _ => asked.push(Asked { name, value }),
        }
    }
    asked
}

/// Whether a user who asks for one thing cannot have the other besides, or has said it anew.
pub(super) fn replaces(system: System, user: &Asked, generated: &Asked) -> bool {
    match system {
        System::Slurm => slurm_family(user) == slurm_family(generated),
        System::Pbs | System::Torque => {
            // PBS takes either chunks and their placement, or resources of the whole job.
            let is_chunks = |asked: &Asked| asked.name == "select";
            let is_placed = |asked: &Asked| is_chunks(asked) || asked.name == "place";
            pbs_family(user) == pbs_family(generated)
                || is_chunks(user) && is_of_whole_job(generated)
                || is_of_whole_job(user) && is_placed(generated)
        }
    }
}

/// The options of which `sbatch` takes one have one family.
fn slurm_family(asked: &Asked) -> &str {
    match asked.name.as_str() {
        "mem" | "mem-per-cpu" | "mem-per-gpu" => "mem",
        "gres" if !asked.value.contains("gpu") => "gres",
        name if name == "gres" || name.starts_with("gpus") => "gpus",
        name if name.starts_with("ntasks") || name == "tasks-per-node" => "ntasks",
        "cpus-per-task" | "cpus-per-gpu" => "cpus",
        name => name,
    }
}

fn pbs_family(asked: &Asked) -> &str {
    match asked.name.as_str() {
        "nodes" | "procs" => "nodes",
        "mem" | "pmem" => "mem",
        name => name,
    }
}

fn is_of_whole_job(asked: &Asked) -> bool {
    ["ncpus", "mem", "pmem", "vmem", "pvmem", "ngpus", "mpiprocs", "nodes", "procs"]
        .contains(&asked.name.as_str())
}

/// The name of an option and the value that is attached to it. `None` for any other word.
fn option(word: &str) -> Option<(String, Option<String>)> {
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (long, None),
        };
        // With a blank it was within quotation marks, as is a value.
        return Some((name.into(), value)).filter(|_| !name.contains(char::is_whitespace));
    }
    let letter = word.strip_prefix('-')?.chars().next().filter(char::is_ascii_alphabetic)?;
    let value = word[2..].strip_prefix('=').unwrap_or(&word[2..]);
    if value.starts_with(char::is_whitespace) {
        return None;
    }
    Some((format!("-{letter}"), Some(value.to_string()).filter(|value| !value.is_empty())))
}

/// The long name of a letter of `sbatch`.
fn long_name(name: &str) -> &str {
    match name {
        "-A" => "account",
        "-a" => "array",
        "-c" => "cpus-per-task",
        "-G" => "gpus",
        "-J" => "job-name",
        "-N" => "nodes",
        "-n" => "ntasks",
        "-o" => "output",
        "-p" => "partition",
        "-t" => "time",
        name => name,
    }
}

/// The words of a directive; blanks within quotation marks part none.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in text.chars() {
        match quote {
            Some(open) if letter == open => quote = None,
            None if letter == '"' || letter == '\'' => quote = Some(letter),
            None if letter.is_whitespace() => words.push(String::new()),
            _ => words.last_mut().expect("there is one from the start").push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directive_is_read_however_it_is_written() {
        let names = |system, text| {
            let asked = asked(system, text).into_iter();
            asked.map(|asked| format!("{} {}", asked.name, asked.value)).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(names(System::Slurm, "--mem-per-cpu=4G -n8 -N 2"), "mem-per-cpu 4G; ntasks 8; nodes 2");
        assert_eq!(
            names(System::Slurm, "--exclusive --comment \"-N 3 of them\""),
            "exclusive ; comment -N 3 of them"
        );
        assert_eq!(names(System::Pbs, "-lselect=2:ncpus=4 -N x"), "select 2:ncpus=4; -N x");
        assert_eq!(names(System::Torque, "-l nodes=1:ppn=2,mem=4gb"), "nodes 1:ppn=2; mem 4gb");
        assert_eq!(names(System::Slurm, "é -é"), "");
    }

    #[test]
    fn what_a_scheduler_takes_one_of_replaces_the_others() {
        let table = [
            (System::Slurm, "--mem-per-cpu=4G", "--mem=12G", true),
            (System::Slurm, "--mem-per-gpu=4G", "--mem=12G", true),
            (System::Slurm, "--gres=gpu:2", "--gpus-per-node=4", true),
            (System::Slurm, "-G 2", "--gpus-per-node=4", true),
            (System::Slurm, "--gres=nvme:1", "--gpus-per-node=4", false),
            (System::Slurm, "-n 8", "--ntasks-per-node=4", true),
            (System::Slurm, "-n 8", "--nodes=2", false),
            (System::Slurm, "-N4", "--nodes=2", true),
            (System::Slurm, "-N4", "--ntasks-per-node=4", false),
            (System::Slurm, "--cpus-per-gpu=4", "--cpus-per-task=4", true),
            (System::Slurm, "-p debug", "--partition=long", true),
            (System::Slurm, "-J mine", "--job-name=pi", true),
            (System::Slurm, "--time-min=5", "--time=10", false),
            (System::Pbs, "-l select=1:ncpus=3", "-l select=2:ncpus=8", true),
            (System::Pbs, "-l select=1", "-l ncpus=96", true),
            (System::Pbs, "-l select=1", "-l place=scatter", false),
            (System::Pbs, "-l ncpus=3", "-l select=2:ncpus=8", true),
            (System::Pbs, "-l mem=3gb", "-l place=scatter", true),
            (System::Pbs, "-l mem=3gb", "-l ncpus=96", false),
            (System::Pbs, "-l mem=3gb", "-l mem=4gb", true),
            (System::Pbs, "-l place=free", "-l place=scatter", true),
            (System::Pbs, "-l filesystems=home", "-l select=2", false),
            (System::Pbs, "-N mine", "-N pi", true),
            (System::Pbs, "-M me", "-m ae", false),
            (System::Torque, "-l procs=8", "-l nodes=2:ppn=4", true),
            (System::Torque, "-l pmem=1gb", "-l mem=4gb", true),
            (System::Torque, "-l walltime=1:00", "-l mem=4gb", false),
        ];
        for (system, user, generated, expected) in table {
            let (user_asks, generated_asks) = (asked(system, user), asked(system, generated));
            let found = replaces(system, &user_asks[0], &generated_asks[0]);
            assert_eq!(found, expected, "{user} and {generated}");
        }
    }
}
