// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm completions` and `nlbadm man`

use clap::CommandFactory;
use clap_complete::Shell;

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
    clap_mangen::Man::new(page).render(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
