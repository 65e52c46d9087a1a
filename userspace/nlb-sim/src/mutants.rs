// SPDX-License-Identifier: GPL-2.0-only

//! `nlb-sim mutants`: a simulator that cannot fail proves nothing.
//!
//! Each broken variant changes one decision of the core: a piece of its text that must occur exactly once is replaced in
//! a copy, the simulator is built against that copy, and seeds are played until one catches it. The core itself carries
//! no switches for this.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::time::Instant;

use serde::Deserialize;

/// The broken variants.
const MUTANTS: &str = include_str!("../mutants.toml");

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Plays at most so many seeds for each variant.
    #[arg(long, default_value_t = 2000)]
    seeds: u64,
    /// Only variants whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// The top of the source tree.
    #[arg(long, default_value = "..")]
    tree: PathBuf,
    /// Where the variants are built.
    #[arg(long, default_value = "target/mutants")]
    target_dir: PathBuf,
}

/// All broken variants.
#[derive(Deserialize)]
struct List {
    mutant: Vec<Mutant>,
}

/// One broken variant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    name: String,
    /// What is wrong with it.
    what: String,
    /// The file, below `module/core/src`.
    file: PathBuf,
    /// A piece of text that the file contains exactly once.
    find: String,
    /// What stands there instead.
    replace: String,
}

/// How a variant fared.
enum Fate {
    /// Caught, after so many seeds, by this property.
    Caught(String, String),
    /// Not caught.
    Survived,
    /// It could not be built.
    Unbuilt(String),
}

/// The verb `mutants`.
pub(crate) fn main(args: &Args) -> ExitCode {
    let list: List = match toml::from_str(MUTANTS) {
        Ok(list) => list,
        Err(error) => {
            println!("mutants.toml: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut survivors = 0;
    let mut count = 0;
    println!(
        "{:<28} {:>6} {:>8}  {:<14} what is broken",
        "variant", "seeds", "seconds", "caught by"
    );
    let chosen = |mutant: &&Mutant| {
        args.only
            .as_ref()
            .is_none_or(|only| mutant.name.contains(only.as_str()))
    };
    for mutant in list.mutant.iter().filter(chosen) {
        count += 1;
        let begin = Instant::now();
        let fate =
            try_mutant(args, mutant).unwrap_or_else(|error| Fate::Unbuilt(error.to_string()));
        let (seeds, property) = match fate {
            Fate::Caught(seeds, property) => (seeds, property),
            Fate::Survived => {
                survivors += 1;
                (format!(">{}", args.seeds), "SURVIVED".to_owned())
            }
            Fate::Unbuilt(error) => {
                survivors += 1;
                println!("{error}");
                ("-".to_owned(), "NOT BUILT".to_owned())
            }
        };
        println!(
            "{:<28} {seeds:>6} {:>8.1}  {property:<14} {}",
            mutant.name,
            begin.elapsed().as_secs_f64(),
            mutant.what
        );
    }
    println!(
        "{count} variants, {} caught, {survivors} not",
        count - survivors
    );
    if count > 0 && survivors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Builds one variant and plays it.
fn try_mutant(args: &Args, mutant: &Mutant) -> io::Result<Fate> {
    fs::create_dir_all(&args.target_dir)?;
    let build = args.target_dir.canonicalize()?;
    let tree = build.join("tree");
    copy(&args.tree.join("module/core"), &tree.join("module/core"))?;
    copy(&args.tree.join("userspace"), &tree.join("userspace"))?;
    let file = tree.join("module/core/src").join(&mutant.file);
    let text = fs::read_to_string(&file)?;
    let places = text.matches(&mutant.find).count();
    if places != 1 {
        return Ok(Fate::Unbuilt(format!(
            "{}: its text occurs {places} times in {}",
            mutant.name,
            mutant.file.display()
        )));
    }
    fs::write(&file, text.replacen(&mutant.find, &mutant.replace, 1))?;
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(tree.join("userspace"))
        .args([
            "build",
            "--quiet",
            "--locked",
            "--profile",
            "mutant",
            "--package",
            "nlb-sim",
            "--target-dir",
        ])
        .arg(&build)
        .output()?;
    if !built.status.success() {
        return Ok(Fate::Unbuilt(
            String::from_utf8_lossy(&built.stderr).into_owned(),
        ));
    }
    let played = Command::new(build.join("mutant/nlb-sim"))
        .args([
            "run",
            "--first",
            "--no-regressions",
            "--seeds",
            &args.seeds.to_string(),
        ])
        .output()?;
    Ok(if played.status.success() {
        Fate::Survived
    } else {
        caught(&played)
    })
}

/// Copies a directory with its sources, without what was built in it. What has not changed is not written, so that it is
/// not built again.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let (source, target) = (entry.path(), to.join(&name));
        if entry.file_type()?.is_dir() {
            if name != "target" {
                copy(&source, &target)?;
            }
        } else {
            let bytes = fs::read(&source)?;
            if fs::read(&target).ok().as_ref() != Some(&bytes) {
                fs::write(&target, bytes)?;
            }
        }
    }
    Ok(())
}

/// Reads from the report of a run how many seeds it took and which property did not hold. A run that ended in any
/// other way has caught nothing.
fn caught(output: &Output) -> Fate {
    let text = String::from_utf8_lossy(&output.stdout);
    let property = text.lines().find_map(|line| {
        let (_, rest) = line.split_once(": VIOLATED: ")?;
        rest.split([' ', ':']).next()
    });
    let seeds = text
        .lines()
        .find_map(|line| {
            line.strip_suffix(')')
                .unwrap_or(line)
                .split_once(" seeds (")
        })
        .map(|(count, _)| count);
    match (property, seeds) {
        (Some(property), Some(seeds)) => Fate::Caught(seeds.to_owned(), property.to_owned()),
        _ => Fate::Unbuilt(format!(
            "the variant ended without a verdict:\n{text}{}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}
