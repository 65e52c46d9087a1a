// SPDX-License-Identifier: GPL-2.0-only

//! The commands that the pages print: each is one that this program takes.

use std::{fs, path::Path};

use clap::{Parser, error::ErrorKind};

use super::Cli;

/// What stands for something in the pages, and an example of it.
const EXAMPLES: [(&str, &str); 14] = [
    ("IFACE", "eth1"),
    ("CLIENT:PORT", "198.51.100.7:40000"),
    ("VIP:PORT", "192.0.2.10:80"),
    ("ADDR:PORT", "192.0.2.1:7946"),
    ("[CLUSTER]", "web"),
    ("ADDR", "192.0.2.10"),
    ("FILE", "web.toml"),
    ("VIP", "192.0.2.10"),
    ("NAME", "web"),
    ("HOSTS", "2,3"),
    ("KEYFILE", "web.key"),
    ("ID", "3"),
    ("LIST", "80"),
    ("N", "3"),
];

/// The files: README.md, and all of docs/.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths = vec![root.join("README.md")];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                paths.push(path);
            }
        }
    }
    let read = |path: std::path::PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path.file_name().unwrap().to_string_lossy().into(), text)
    };
    paths.into_iter().map(read).collect()
}

/// The commands of a page: lines of its blocks, and what stands between backquotes, that begin with the program's name.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_block = false;
    for line in page.lines() {
        if line.starts_with("```") {
            is_block = !is_block;
        } else if is_block {
            found.push(line.to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found.retain(|command| is_command(command));
    found
}

fn is_command(text: &str) -> bool {
    text == "nlbadm" || text.starts_with("nlbadm ")
}

/// The arguments of the first command of a line, as a shell would hand them over: without comments, redirections and what
/// else follows.
fn arguments(command: &str) -> Vec<String> {
    let end = [" #", " >", " |", " &&", ";", " <"]
        .iter()
        .filter_map(|ending| command.find(ending))
        .min()
        .unwrap_or(command.len());
    let words = command[..end].split_whitespace();
    words.map(|word| example(word.trim_matches('\''))).collect()
}

fn example(word: &str) -> String {
    for (name, example) in EXAMPLES {
        if word == name {
            return example.into();
        }
    }
    word.into()
}

/// What is wrong with a command, in a line. Of a verb alone the page may mean no more than its name.
fn fault(command: &str) -> Option<String> {
    let arguments = arguments(command);
    let error = Cli::try_parse_from(&arguments).err()?;
    let help = Cli::try_parse_from(arguments.iter().map(String::as_str).chain(["--help"]));
    let is_verb = help.is_err_and(|error| error.kind() == ErrorKind::DisplayHelp);
    let is_name = is_verb && !arguments.iter().any(|word| word.starts_with('-'));
    let is_whole = !error.use_stderr() || (is_name && arguments.len() <= 3);
    let text = error.to_string();
    (!is_whole).then(|| text.lines().next().unwrap_or_default().to_owned())
}

#[test]
fn each_command_of_the_pages_is_one() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (page, text) in pages() {
        // An ellipsis stands for what other lines have.
        for command in commands(&text)
            .iter()
            .filter(|command| !command.contains('…'))
        {
            count += 1;
            wrong.extend(fault(command).map(|fault| format!("{page}: {command}: {fault}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 100, "{count} commands");
}

#[test]
fn a_command_that_is_none_is_found() {
    for command in [
        "nlbadm shwo",
        "nlbadm vip add",
        "nlbadm set --weigth 30",
        "nlbadm up eth1 --vip 300.1.1.1",
    ] {
        let expected = command == "nlbadm vip add";
        assert_eq!(fault(command).is_none(), expected, "{command}");
    }
}
