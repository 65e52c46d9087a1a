// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm` configures and shows nlb clusters.
//!
//! The program is in this library, because `nlbd` shares parts of it: the file of a cluster with its checks.

mod absent;
mod cli;
mod cmd;
mod config;
pub mod daemon;
mod endpoint;
mod failure;
#[cfg(test)]
mod fake;
mod host;
mod import;
mod kernel;
mod keyfile;
pub mod metrics;
mod module;
mod obstacle;
mod output;
pub mod remote;
pub mod replica;
mod rulefile;
mod rulename;
mod source;

pub use self::{
    cmd::{
        apply::{Followed, could, fits, follow},
        remote::{CarriedOut, busy, carry_out},
    },
    config::{
        Action, Config, DIRECTORY, HealthCheck, HttpProbe, Machine, Probe, RuleCheck, Section,
    },
    failure::Failure,
    module::MODULE,
};

use std::process::ExitCode;

use clap::Parser;
use nlb_core::{genl::Control, rules::RuleState};

use crate::{
    cli::{Cli, RulesVerb, Target, Verb},
    failure::Exit,
    host::Host,
    kernel::{Kernel, Linux},
    module::Loader,
    output::print,
    remote::Order,
    rulefile::RuleFile,
};

/// Does what the arguments of the process say. The exit code is one of those that `--help` lists.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut kernel = match &cli.verb {
        Some(verb) if !verb.leaves() => Linux::default(),
        _ => Linux::of_any_version(),
    };
    match dispatch(&mut kernel, cli) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of a pipe has seen enough; nothing is wrong.
        Err(failure) if failure.exit == Exit::ReaderGone => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("nlbadm: {failure}");
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn dispatch<K: Kernel + Host + Loader>(kernel: &mut K, cli: Cli) -> Result<(), Failure> {
    let json = cli.json;
    let verb = cli.verb.unwrap_or(Verb::Show(Target::default()));
    if let Some((order, target, elsewhere)) = Order::of(&verb)? {
        let (report, end) = cmd::remote::run(kernel, &order, &verb, &target, &elsewhere)?;
        print(json, &report)?;
        return end;
    }
    let printed = match verb {
        Verb::Show(target) => print(json, &cmd::show::run(kernel, &target)?),
        Verb::Display(target) => print(json, &cmd::display::run(kernel, &target)?),
        Verb::Queryport(args) => print(json, &cmd::queryport::run(kernel, &args)?),
        Verb::Up(args) => return cmd::up::run(kernel, &args),
        Verb::Apply(args) if args.everywhere.on.is_some() => {
            let (change, end) = cmd::everywhere::apply(&args)?;
            print(json, &change)?;
            return end;
        }
        Verb::Apply(args) => return cmd::apply::run(kernel, json, &args),
        Verb::Versions(args) => match args.content {
            Some(number) => print(json, &cmd::everywhere::content(&args, number)?),
            None => print(json, &cmd::everywhere::versions(&args)?),
        },
        Verb::Rollback(args) => {
            let (change, end) = cmd::everywhere::rollback(&args)?;
            print(json, &change)?;
            return end;
        }
        Verb::Reload(target) => return cmd::reload::run(kernel, json, &target),
        Verb::Upgrade(args) => print(json, &cmd::upgrade::run(kernel, &args)?),
        Verb::Check(args) => print(json, &cmd::check::run(kernel, &args)?),
        Verb::Export(args) => print(json, &cmd::export::run(kernel, &args)?),
        Verb::Import(args) => {
            let (imports, end) = cmd::import::run(&args)?;
            print(json, &imports)?;
            return end;
        }
        Verb::Down(args) => return cmd::down::run(kernel, &args),
        Verb::Start(it) => return cmd::control::run(kernel, &it.target, Control::Start),
        Verb::Stop(it) => return cmd::control::run(kernel, &it.target, Control::Stop),
        Verb::Drain(args) => match args.split() {
            (Some(rule), target) => {
                return cmd::rules::control(kernel, rule, &target, RuleState::Draining);
            }
            (None, target) => return cmd::control::run(kernel, &target, Control::Drain),
        },
        Verb::Enable(args) => {
            return cmd::rules::control(kernel, args.rule, &args.target, RuleState::Enabled);
        }
        Verb::Disable(args) => {
            return cmd::rules::control(kernel, args.rule, &args.target, RuleState::Disabled);
        }
        Verb::Rules(args) => match args.verb.unwrap_or(RulesVerb::Show(args.target)) {
            RulesVerb::Show(target) => print(json, &cmd::rules::show(kernel, &target)?),
            RulesVerb::Apply {
                file,
                unchecked,
                target,
                ..
            } => {
                let file = RuleFile::read(&file)?;
                print(json, &cmd::rules::apply(kernel, &target, &file, unchecked)?)
            }
            RulesVerb::Check { file } => print(json, &cmd::rules::check(&RuleFile::read(&file)?)?),
        },
        Verb::Drainstop(args) => return cmd::control::drainstop(kernel, &args),
        Verb::Suspend(it) => return cmd::control::run(kernel, &it.target, Control::Suspend),
        Verb::Resume(it) => return cmd::control::run(kernel, &it.target, Control::Resume),
        Verb::Announce(it) => return cmd::control::run(kernel, &it.target, Control::Announce),
        Verb::Set(args) => match cmd::set::run(kernel, &args)? {
            Some(settings) => print(json, &settings),
            None => Ok(()),
        },
        Verb::Vip(verb) => print(json, &cmd::settings::vip(kernel, &verb)?),
        Verb::Owner(args) => return cmd::owner::run(kernel, json, &args),
        Verb::Doctor(target) => {
            let (checkup, end) = cmd::doctor::run(kernel, &target)?;
            print(json, &checkup)?;
            return end;
        }
        Verb::Monitor(target) => return cmd::monitor::run(kernel, json, &target),
        Verb::Counters(args) => print(json, &cmd::counters::run(kernel, &args)?),
        Verb::Connections(target) => print(json, &cmd::connections::run(kernel, &target)?),
        Verb::Metrics => output::write(&cmd::metrics::run(kernel)?),
        Verb::Checks(args) => print(json, &cmd::checks::run(&args)?),
        Verb::History(target) => print(json, &cmd::history::run(kernel, &target)?),
        Verb::Buckets(args) => print(json, &cmd::buckets::run(kernel, &args)?),
        Verb::Key(verb) => match cmd::key::run(kernel, &verb)? {
            Some(keys) => print(json, &keys),
            None => Ok(()),
        },
        Verb::Genkey => print(json, &cmd::genkey::run()?),
        Verb::Ip2mac(args) => print(json, &cmd::ip2mac::run(&args)),
        Verb::Relay(args) => return cmd::relay::run(kernel, json, &args),
        Verb::Completions { shell } => output::write(&cmd::completions::completions(shell)),
        Verb::Man {
            directory: Some(directory),
            ..
        } => return cmd::completions::write_pages(&directory),
        Verb::Man { verb, .. } => output::write(&cmd::completions::man(verb.as_deref())?),
    };
    printed.map_err(Failure::from)
}

/// Prints a warning, if there is one.
fn warn(warning: Option<String>) {
    if let Some(text) = warning {
        eprintln!("nlbadm: warning: {text}");
    }
}
