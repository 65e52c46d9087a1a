// SPDX-License-Identifier: GPL-2.0-only

//! `nlb-sim mutants`: a simulator that cannot fail proves nothing.
//!
//! Each broken variant changes one decision of the core: a piece of its text that must occur exactly once is replaced in
//! a copy. All variants are put into one copy, which is built once, and an environment variable of that build alone says
//! which one is broken; so there is one build, and not one for each. The core itself carries no switches for this.
//!
//! A variant is caught by a seed in which it violates something and the same build with nothing broken does not. Some
//! have to be found by the model check as well.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

/// The broken variants.
const MUTANTS: &str = include_str!("../mutants.toml");

/// Says to the build with all variants which one is broken: its place in the list, from 1.
const VARIABLE: &str = "NLB_BROKEN";

/// What is put into the copy of the core.
const SWITCH: &str = "
/// Which broken variant is being played.
pub mod broken {
    use core::sync::atomic::{AtomicUsize, Ordering};
    /// The number of the variant; 0: none.
    pub static WHICH: AtomicUsize = AtomicUsize::new(0);
    pub(crate) fn is(number: usize) -> bool {
        WHICH.load(Ordering::Relaxed) == number
    }
}
";

/// What is put at the beginning of the copy's `main`.
const SET: &str = "fn main() -> ExitCode {
    let which = std::env::var(\"NLB_BROKEN\").expect(\"the number of a variant\");
    let which = which.parse().expect(\"the number of a variant\");
    nlb_core::broken::WHICH.store(which, std::sync::atomic::Ordering::Relaxed);
";

/// A variant that has not come to an end in this time after it was to begin no new seed hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often it is looked whether a run has ended.
const LOOK: Duration = Duration::from_millis(20);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Plays at most so many seeds for each variant.
    #[arg(long, default_value_t = 2000)]
    seeds: u64,
    /// Begins no new seed of a variant after so many seconds.
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// Only variants whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Only the model check, with the variants that it must find.
    #[arg(long)]
    by_model: bool,
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
struct Mutant {
    name: String,
    /// What is wrong with it.
    what: String,
    #[serde(flatten)]
    piece: Piece,
    /// What else has to be broken, where one line of defence stands behind another.
    #[serde(default)]
    also: Vec<Piece>,
    /// The model in which the model check has to find it.
    model: Option<String>,
}

/// A place of the core that is another in a variant.
#[derive(Deserialize)]
struct Piece {
    /// The file, below `module/core/src`.
    file: PathBuf,
    /// A piece of text that the file contains exactly once.
    find: String,
    /// What stands there instead; `BROKEN` asks whether this variant is being played.
    replace: String,
}

impl Mutant {
    fn pieces(&self) -> impl Iterator<Item = &Piece> {
        std::iter::once(&self.piece).chain(&self.also)
    }
}

/// How a variant fared.
enum Fate {
    /// Caught, after so many seeds or steps, by this property.
    Caught(u64, String),
    /// Not caught by so many.
    Survived(u64),
    /// The run ended in another way.
    NoVerdict(String),
}

/// The verb `mutants`.
pub(crate) fn main(args: &Args) -> ExitCode {
    let begin = Instant::now();
    let result = toml::from_str::<List>(MUTANTS)
        .map_err(|error| format!("mutants.toml: {error}"))
        .and_then(|list| {
            let program = build(args, &list.mutant)?;
            println!(
                "all variants built in {:.0} s",
                begin.elapsed().as_secs_f64()
            );
            play_all(args, &list.mutant, &Player { program, args })
                .map_err(|error| format!("a variant cannot be played: {error}"))
        });
    let seconds = begin.elapsed().as_secs_f64();
    match result {
        Ok((count, caught)) => {
            println!("{caught} of {count} variants caught, {seconds:.0} s in all");
            if count > 0 && caught == count {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            println!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Plays the chosen variants and prints a row for each: how many there are, and how many were caught.
fn play_all(args: &Args, mutants: &[Mutant], player: &Player<'_>) -> io::Result<(u64, u64)> {
    let (mut count, mut caught) = (0, 0);
    let found_in = if args.by_model { "steps" } else { "seeds" };
    println!(
        "{:<26} {found_in:>6} {:>7}  {:<12} what is broken",
        "variant", "seconds", "caught by"
    );
    for (mutant, number) in mutants.iter().zip(1..) {
        let only = args.only.as_deref().unwrap_or("");
        if !mutant.name.contains(only) || (args.by_model && mutant.model.is_none()) {
            continue;
        }
        count += 1;
        let begin = Instant::now();
        let fate = match &mutant.model {
            Some(model) if args.by_model => player.check(number, model)?,
            _ => player.play(number)?,
        };
        let (took, property) = match fate {
            Fate::Caught(took, property) => {
                caught += 1;
                (took, property)
            }
            Fate::Survived(took) => (took, "SURVIVED".to_owned()),
            Fate::NoVerdict(text) => {
                println!("{} ended without a verdict:\n{text}", mutant.name);
                (0, "NO VERDICT".to_owned())
            }
        };
        println!(
            "{:<26} {took:>6} {:>7.1}  {property:<12} {}",
            mutant.name,
            begin.elapsed().as_secs_f64(),
            mutant.what
        );
    }
    Ok((count, caught))
}

/// Builds the simulator with all variants in it: the program.
fn build(args: &Args, mutants: &[Mutant]) -> Result<PathBuf, String> {
    let told = |error: io::Error| format!("{}: {error}", args.target_dir.display());
    fs::create_dir_all(&args.target_dir).map_err(told)?;
    let target = args.target_dir.canonicalize().map_err(told)?;
    let tree = target.join("tree");
    let fresh = target.join("fresh");
    prepare(&args.tree, &fresh, mutants)?;
    // What is as it was is not written, so that it is not built again.
    copy(&fresh, &tree).map_err(told)?;
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(tree.join("userspace"))
        .args(["build", "--quiet", "--locked", "--profile", "sim"])
        .args(["--package", "nlb-sim", "--target-dir"])
        .arg(&target)
        .output()
        .map_err(told)?;
    if built.status.success() {
        Ok(target.join("sim/nlb-sim"))
    } else {
        Err(String::from_utf8_lossy(&built.stderr).into_owned())
    }
}

/// Copies the sources, and puts all variants into the copy.
fn prepare(from: &Path, fresh: &Path, mutants: &[Mutant]) -> Result<(), String> {
    let told = |error: io::Error| format!("{}: {error}", fresh.display());
    if fresh.exists() {
        fs::remove_dir_all(fresh).map_err(told)?;
    }
    for part in ["module/core", "userspace"] {
        copy(&from.join(part), &fresh.join(part)).map_err(told)?;
    }
    let core = fresh.join("module/core/src");
    for (mutant, number) in mutants.iter().zip(1..) {
        for piece in mutant.pieces() {
            let question = format!("crate::broken::is({number})");
            let replace = piece.replace.replace("BROKEN", &question);
            substitute(&core.join(&piece.file), &piece.find, &replace)
                .map_err(|error| format!("{}: {error}", mutant.name))?;
        }
    }
    let root = core.join("lib.rs");
    let text = fs::read_to_string(&root).map_err(told)?;
    fs::write(&root, text + SWITCH).map_err(told)?;
    let main = fresh.join("userspace/nlb-sim/src/main.rs");
    substitute(&main, "fn main() -> ExitCode {\n", SET)
}

/// Replaces a piece of a file that must occur exactly once.
fn substitute(file: &Path, find: &str, replace: &str) -> Result<(), String> {
    let told = |error: io::Error| format!("{}: {error}", file.display());
    let text = fs::read_to_string(file).map_err(told)?;
    match text.matches(find).count() {
        1 => fs::write(file, text.replacen(find, replace, 1)).map_err(told),
        places => Err(format!(
            "its text occurs {places} times in {}",
            file.display()
        )),
    }
}

/// Copies a directory with its sources, without what was built in it. What has not changed is not written.
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

/// Plays variants.
struct Player<'a> {
    program: PathBuf,
    args: &'a Args,
}

impl Player<'_> {
    /// Plays a variant until a seed catches it that nothing catches if nothing is broken.
    fn play(&self, number: usize) -> io::Result<Fate> {
        let begin = Instant::now();
        let (mut from, mut took) = (1, 0);
        loop {
            let left = self.args.seconds.saturating_sub(begin.elapsed().as_secs());
            let rest = (self.args.seeds + 1).saturating_sub(from);
            if left == 0 || rest == 0 {
                return Ok(Fate::Survived(took));
            }
            let text = self.run(
                number,
                &format!(
                    "run --first --no-regressions --from {from} --seeds {rest} --seconds {left}"
                ),
            )?;
            let Some(seeds) = seeds(&text) else {
                return Ok(Fate::NoVerdict(text));
            };
            took += seeds;
            let Some((seed, property)) = violated(&text) else {
                return Ok(Fate::Survived(took));
            };
            let sound = self.run(0, &format!("run --seed {seed}"))?;
            if violated(&sound).is_none() {
                return Ok(Fate::Caught(took, property));
            }
            from = seed + 1;
        }
    }

    /// Gives a variant to the model check.
    fn check(&self, number: usize, model: &str) -> io::Result<Fate> {
        let text = self.run(number, &format!("model-check --only {model}"))?;
        let violated = text.lines().find_map(|line| {
            let rest = line.strip_prefix("VIOLATED: ")?;
            let (property, _) = rest.split_once(':')?;
            let (_, steps) = rest.rsplit_once("after ")?;
            let steps = steps.split(' ').next()?.parse().ok()?;
            Some(Fate::Caught(steps, property.to_owned()))
        });
        let closed = text.lines().any(|line| line.contains(", closed in "));
        Ok(match violated {
            Some(caught) => caught,
            None if closed => Fate::Survived(0),
            None => Fate::NoVerdict(text),
        })
    }

    /// Runs the program with a variant: what it says. One that hangs is ended, and has said what it had said by then.
    fn run(&self, number: usize, arguments: &str) -> io::Result<String> {
        let file = self.program.with_file_name("said");
        let said = File::create(&file)?;
        let mut child = Command::new(&self.program)
            .args(arguments.split(' '))
            .env(VARIABLE, number.to_string())
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()?;
        let deadline = Instant::now() + Duration::from_secs(self.args.seconds) + PATIENCE;
        while child.try_wait()?.is_none() {
            if Instant::now() >= deadline {
                child.kill()?;
                child.wait()?;
                break;
            }
            thread::sleep(LOOK);
        }
        Ok(String::from_utf8_lossy(&fs::read(file)?).into_owned())
    }
}

/// How many seeds a run has played, if it came to its end.
fn seeds(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains(" seeds ("))?;
    line.split(' ').next()?.parse().ok()
}

/// The first seed that failed, and the property that did not hold.
fn violated(text: &str) -> Option<(u64, String)> {
    text.lines().find_map(|line| {
        let (seed, rest) = line.strip_prefix("seed ")?.split_once(": VIOLATED: ")?;
        let property = rest.split([' ', ':']).next()?;
        Some((seed.parse().ok()?, property.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change of the core may take a variant's text away: this says so before anyone plays them.
    #[test]
    fn every_variant_fits_the_core_as_it_is() {
        let list: List = toml::from_str(MUTANTS).expect("the list can be read");
        assert!(list.mutant.len() >= 15);
        for mutant in &list.mutant {
            let mut pieces = mutant.pieces();
            assert!(
                pieces.all(|piece| piece.replace.contains("BROKEN")),
                "{}",
                mutant.name
            );
        }
        let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let fresh = std::env::temp_dir().join(format!("nlb-variants-{}", std::process::id()));
        let fits = prepare(&tree, &fresh, &list.mutant);
        fs::remove_dir_all(&fresh).expect("the copy was made");
        fits.expect("every variant fits");
    }

    #[test]
    fn a_report_is_read() {
        let text =
            "seed 7: VIOLATED: one-owner at 1.5 s: hosts\n    tail\n12 seeds (0 of them named";
        assert_eq!(violated(text), Some((7, "one-owner".to_owned())));
        assert_eq!(seeds(text), Some(12));
        assert_eq!(violated("12 seeds (0 of them named"), None);
        assert_eq!(seeds("thread panicked"), None);
    }
}
