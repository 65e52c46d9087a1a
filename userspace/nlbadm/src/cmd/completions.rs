// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm completions` and `nlbadm man`

use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::{cli::Cli, failure::Failure};

/// The completions for a shell.
pub(crate) fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "nlbadm", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The manual page, or that of one verb.
pub(crate) fn man(verb: Option<&str>) -> Result<String, Failure> {
    let mut command = Cli::command();
    command.build();
    let page = match verb {
        None => command,
        Some(verb) => command
            .find_subcommand(verb)
            .ok_or_else(|| {
                Failure::usage(format!(
                    "there is no verb {verb}; `nlbadm --help` lists them"
                ))
            })?
            .clone(),
    };
    let mut text = Vec::new();
    manual_page(page).render(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Writes the manual page, and those of all verbs, as files `nlbadm-VERB.8`.
pub(crate) fn write_pages(directory: &Path) -> Result<(), Failure> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    write_page_and_below(command, directory).map_err(|failure| failure.context(directory.display()))
}

fn write_page_and_below(command: Command, directory: &Path) -> Result<(), Failure> {
    for verb in command.get_subcommands() {
        write_page_and_below(verb.clone(), directory)?;
    }
    manual_page(command).generate_to(directory)?;
    Ok(())
}

/// A page among those for administrators.
fn manual_page(command: Command) -> Man {
    Man::new(command).section("8").manual("nlb")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_verb_has_a_page() {
        let directory = tempfile::tempdir().unwrap();
        write_pages(directory.path()).unwrap();
        for name in [
            "nlbadm",
            "nlbadm-up",
            "nlbadm-rules-apply",
            "nlbadm-key-add",
        ] {
            let page = fs::read_to_string(directory.path().join(format!("{name}.8"))).unwrap();
            assert!(page.contains(&format!(".TH {name} 8")), "{name}: {page}");
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let failure = write_pages(Path::new("/nonexistent")).unwrap_err();
        assert!(failure.message.starts_with("/nonexistent: "), "{failure}");
    }
}
