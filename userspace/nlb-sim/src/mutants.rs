// SPDX-License-Identifier: GPL-2.0-only

//! `nlb-sim mutants`: a simulator that cannot fail proves nothing.
//!
//! Each broken variant is a `cfg!(nlb_mutant = "name")` at one decision of the core. It is built on its own and
//! played until a seed catches it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::time::Instant;

/// The broken variants: one a line, its name and what is wrong with it.
const MUTANTS: &str = include_str!("../mutants.txt");

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Plays at most so many seeds for each variant.
    #[arg(long, default_value_t = 2000)]
    seeds: u64,
    /// Only variants whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Where the variants are built.
    #[arg(long, default_value = "target/mutants")]
    target_dir: PathBuf,
    /// The directory of the userspace workspace.
    #[arg(long, default_value = ".")]
    workspace: PathBuf,
}

/// One broken variant.
struct Mutant {
    name: &'static str,
    what: &'static str,
}

fn list() -> impl Iterator<Item = Mutant> {
    MUTANTS.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).map(|line| {
        let (name, what) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        Mutant { name, what: what.trim() }
    })
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
    let mut survivors = 0;
    let mut count = 0;
    println!("{:<28} {:>6} {:>8}  {:<14} what is broken", "variant", "seeds", "seconds", "caught by");
    let chosen = |mutant: &Mutant| args.only.as_ref().is_none_or(|only| mutant.name.contains(only.as_str()));
    for mutant in list().filter(chosen) {
        count += 1;
        let begin = Instant::now();
        let (seeds, property) = match try_mutant(args, &mutant) {
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
        println!("{:<28} {seeds:>6} {:>8.1}  {property:<14} {}", mutant.name, begin.elapsed().as_secs_f64(), mutant.what);
    }
    println!("{count} variants, {} caught, {survivors} not", count - survivors);
    if count > 0 && survivors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Builds one variant and plays it.
fn try_mutant(args: &Args, mutant: &Mutant) -> Fate {
    // A target is named so that the flag reaches the core and not every build script and procedural macro.
    let target = env!("NLB_SIM_TARGET");
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(&args.workspace)
        .args(["build", "--quiet", "--locked", "--profile", "mutant", "--package", "nlb-sim", "--target", target])
        .arg("--target-dir")
        .arg(absolute(&args.workspace, &args.target_dir))
        .env("RUSTFLAGS", format!("--cfg nlb_mutant=\"{}\"", mutant.name))
        .output();
    match built {
        Ok(output) if output.status.success() => {}
        Ok(output) => return Fate::Unbuilt(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => return Fate::Unbuilt(format!("cargo cannot be run: {error}")),
    }
    let program = absolute(&args.workspace, &args.target_dir).join(target).join("mutant/nlb-sim");
    let played = Command::new(program)
        .args(["run", "--first", "--seeds", &args.seeds.to_string()])
        .output();
    match played {
        Ok(output) if output.status.success() => Fate::Survived,
        Ok(output) => caught(&output),
        Err(error) => Fate::Unbuilt(format!("the variant cannot be run: {error}")),
    }
}

fn absolute(base: &Path, path: &Path) -> PathBuf {
    let joined = base.join(path);
    joined.canonicalize().unwrap_or_else(|_| std::env::current_dir().unwrap_or_default().join(joined))
}

/// Reads from the report of a run how many seeds it took and which property did not hold. A run that ended in any
/// other way has caught nothing.
fn caught(output: &Output) -> Fate {
    let text = String::from_utf8_lossy(&output.stdout);
    let property = text.lines().find_map(|line| {
        let (_, rest) = line.split_once(": VIOLATED: ")?;
        rest.split([' ', ':']).next()
    });
    let seeds = text.lines().find_map(|line| line.strip_suffix(')').unwrap_or(line).split_once(" seeds (")).map(|(count, _)| count);
    match (property, seeds) {
        (Some(property), Some(seeds)) => Fate::Caught(seeds.to_owned(), property.to_owned()),
        _ => Fate::Unbuilt(format!("the variant ended without a verdict:\n{text}{}", String::from_utf8_lossy(&output.stderr))),
    }
}
