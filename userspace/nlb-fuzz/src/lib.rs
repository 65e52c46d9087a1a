// SPDX-License-Identifier: GPL-2.0-only

//! A fuzzer for parsers that runs inside an ordinary test, on stable Rust.
//!
//! A target takes bytes, checks what must hold for them, and returns what became of them as a number: its *outcome*
//! ([`outcome`] makes one of anything that can be hashed). Inputs are made by mutating others, beginning with seeds that
//! are right; an input whose outcome was not seen before is kept and mutated in turn. So the outcome does what coverage
//! does for other fuzzers, without instrumented code: a target that tells more apart is searched deeper.
//!
//! By default a run is short and always the same. The environment makes it another:
//!
//! | variable | meaning |
//! |---|---|
//! | `NLB_FUZZ_SECONDS` | run each target for so long, from a random beginning |
//! | `NLB_FUZZ_KEEP` | a directory where inputs with new outcomes, and the input that failed, are kept between runs |
//! | `NLB_FUZZ_INPUT` | a file: run this input alone |

mod mutate;
mod report;

use std::cell::Cell;
use std::collections::HashSet;
use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Once;
use std::time::{Duration, Instant};

use mutate::Mutator;

/// Inputs of a run that is not given a time: a second or so for a parser.
const INPUTS: u64 = 200_000;

/// Inputs that are kept at a time; each had an outcome of its own.
const KEPT_MAX: usize = 4096;

/// Attempts to make a failing input smaller.
const SHRINK_MAX: usize = 5_000;

/// The outcome of anything that can be hashed.
pub fn outcome(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A target to be fuzzed.
#[derive(Debug)]
pub struct Fuzz {
    name: &'static str,
    seeds: Vec<Vec<u8>>,
    longest: usize,
    inputs: u64,
}

impl Fuzz {
    /// A target by its name, which must be one for a directory.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Fuzz {
            name,
            seeds: Vec::new(),
            longest: 0,
            inputs: INPUTS,
        }
    }

    /// Inputs to begin with.
    #[must_use]
    pub fn seeds<S: Into<Vec<u8>>>(mut self, seeds: impl IntoIterator<Item = S>) -> Self {
        self.seeds.extend(seeds.into_iter().map(Into::into));
        self
    }

    /// Bytes of the longest input; without this, twice the longest seed and 64 more.
    #[must_use]
    pub fn longest(mut self, bytes: usize) -> Self {
        self.longest = bytes;
        self
    }

    /// Inputs of a run that is not given a time, where a target is slower or faster than a parser.
    #[must_use]
    pub fn inputs(mut self, inputs: u64) -> Self {
        self.inputs = inputs;
        self
    }

    /// Runs the target on seeds, on all their beginnings, and on mutations of them.
    ///
    /// # Panics
    ///
    /// If the target panics: with the smallest input that was found to make it do so. Also if there is no seed, or all
    /// inputs have the same outcome: such a run has tested nothing.
    pub fn run(self, target: impl Fn(&[u8]) -> u64) {
        if let Some(file) = env::var_os("NLB_FUZZ_INPUT") {
            let input = fs::read(file).expect("NLB_FUZZ_INPUT is a file that can be read");
            println!("{}: outcome {:016x}", self.name, target(&input));
            return;
        }
        let seconds = env::var("NLB_FUZZ_SECONDS").ok().map(|text| {
            text.parse()
                .expect("NLB_FUZZ_SECONDS is a number of seconds")
        });
        let mut run = Run::new(self, target);
        run.begin();
        match seconds {
            Some(seconds) => run.until(Instant::now() + Duration::from_secs(seconds)),
            None => run.times(run.fuzz.inputs),
        }
        run.finish();
    }
}

/// A run of a target.
struct Run<T> {
    fuzz: Fuzz,
    target: T,
    mutator: Mutator,
    kept: Vec<Vec<u8>>,
    outcomes: HashSet<u64>,
    directory: Option<PathBuf>,
    inputs: u64,
    begin: Instant,
}

impl<T: Fn(&[u8]) -> u64> Run<T> {
    fn new(mut fuzz: Fuzz, target: T) -> Self {
        assert!(!fuzz.seeds.is_empty(), "{} has no seed", fuzz.name);
        if fuzz.longest == 0 {
            let longest = fuzz.seeds.iter().map(Vec::len).max().unwrap_or(0);
            fuzz.longest = 2 * longest + 64;
        }
        let seed = if env::var_os("NLB_FUZZ_SECONDS").is_some() {
            fastrand::u64(..)
        } else {
            outcome(fuzz.name)
        };
        let directory = env::var_os("NLB_FUZZ_KEEP").map(|top| PathBuf::from(top).join(fuzz.name));
        silence();
        Run {
            mutator: Mutator::new(seed, fuzz.longest),
            fuzz,
            target,
            kept: Vec::new(),
            outcomes: HashSet::new(),
            directory,
            inputs: 0,
            begin: Instant::now(),
        }
    }

    /// The seeds, what earlier runs have kept, and all that is cut off of a seed.
    fn begin(&mut self) {
        let seeds = std::mem::take(&mut self.fuzz.seeds);
        for seed in &seeds {
            self.try_input(seed);
            // Mutated in any case, also if another seed has the same outcome.
            if !self.kept.contains(seed) && self.kept.len() < KEPT_MAX {
                self.kept.push(seed.clone());
            }
        }
        let stored = self.directory.as_deref().map(report::stored);
        for input in stored.unwrap_or_default() {
            self.try_input(&input);
        }
        for seed in &seeds {
            // Of long seeds with steps: the run has to stay a short one.
            let step = seed.len() / 128 + 1;
            for len in (0..seed.len()).step_by(step) {
                self.try_input(&seed[..len]);
            }
        }
    }

    fn until(&mut self, deadline: Instant) {
        while Instant::now() < deadline {
            self.times(64);
        }
    }

    fn times(&mut self, inputs: u64) {
        for _ in 0..inputs {
            let input = self.mutator.next(&self.kept);
            self.try_input(&input);
        }
    }

    /// Runs one input, and keeps it if its outcome is new.
    fn try_input(&mut self, input: &[u8]) {
        self.inputs += 1;
        match attempt(&self.target, input) {
            Ok(outcome) => {
                if self.outcomes.insert(outcome) && self.kept.len() < KEPT_MAX {
                    self.kept.push(input.to_vec());
                    if let Some(path) = &self.directory {
                        report::store(path, input);
                    }
                }
            }
            Err(message) => self.fail(input, &message),
        }
    }

    /// Makes a failing input smaller and tells it.
    fn fail(&self, input: &[u8], message: &str) -> ! {
        let (smallest, message) = self.shrink(input.to_vec(), message.to_owned());
        let file = self
            .directory
            .as_ref()
            .map(|path| report::store_failure(path, &smallest));
        panic!(
            "{}: {message}\nafter {} inputs, with {} bytes: {}{}",
            self.fuzz.name,
            self.inputs,
            smallest.len(),
            report::hex(&smallest),
            file.map_or(String::new(), |file| format!(
                "\nkept in {}",
                file.display()
            ))
        );
    }

    /// Leaves bytes out and makes others zero, as long as the target still fails.
    fn shrink(&self, mut input: Vec<u8>, mut message: String) -> (Vec<u8>, String) {
        let mut attempts = 0;
        let mut size = input.len().next_power_of_two();
        while size > 0 {
            let mut at = 0;
            while at < input.len() && attempts < SHRINK_MAX {
                attempts += 1;
                let end = (at + size).min(input.len());
                let mut shorter = input.clone();
                shorter.drain(at..end);
                let mut plainer = input.clone();
                plainer[at..end].fill(0);
                let smaller = [shorter, plainer]
                    .into_iter()
                    .filter(|smaller| *smaller != input)
                    .find_map(|smaller| {
                        let error = attempt(&self.target, &smaller).err()?;
                        Some((smaller, error))
                    });
                match smaller {
                    Some((smaller, error)) => {
                        at += if smaller.len() < input.len() { 0 } else { size };
                        (input, message) = (smaller, error);
                    }
                    None => at += size,
                }
            }
            size /= 2;
        }
        (input, message)
    }

    fn finish(self) {
        let seconds = self.begin.elapsed().as_secs_f64();
        println!(
            "fuzz {}: {} inputs, {} outcomes, {} kept, {seconds:.1} s",
            self.fuzz.name,
            self.inputs,
            self.outcomes.len(),
            self.kept.len(),
        );
        assert!(
            self.outcomes.len() > 1,
            "{}: all inputs have one outcome: nothing is tested",
            self.fuzz.name
        );
    }
}

thread_local! {
    /// Whether a panic of this thread is one of a target, which is told at the end.
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// The message of the last such panic.
    static MESSAGE: Cell<String> = const { Cell::new(String::new()) };
}

/// Keeps the panics of targets off the screen: a failing input is tried thousands of times while it is made smaller.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if QUIET.get() {
                MESSAGE.set(info.to_string());
            } else {
                before(info);
            }
        }));
    });
}

/// Runs a target on one input: its outcome, or the message of its panic.
fn attempt(target: &impl Fn(&[u8]) -> u64, input: &[u8]) -> Result<u64, String> {
    QUIET.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(|| target(input)));
    QUIET.set(false);
    result.map_err(|_| MESSAGE.take())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(fuzz: Fuzz, target: impl Fn(&[u8]) -> u64) -> String {
        let result = panic::catch_unwind(AssertUnwindSafe(|| fuzz.run(target)));
        *result
            .expect_err("the target fails")
            .downcast::<String>()
            .expect("a message")
    }

    /// A parser with a fault behind a magic number, a length and a value: more than noise ever finds.
    fn faulty(bytes: &[u8]) -> u64 {
        let [b'n', b'b', len, rest @ ..] = bytes else {
            return 0;
        };
        let Some(body) = rest.get(..usize::from(*len)) else {
            return 1;
        };
        let deep = body.iter().take_while(|byte| **byte == 0xff).count();
        assert!(deep < 4, "four in a row");
        2 + deep as u64
    }

    #[test]
    fn a_fault_is_found_and_its_input_made_small() {
        let message = failure(Fuzz::new("faulty").seeds([b"nb\x08abcdefgh"]), faulty);
        assert!(message.contains("four in a row"), "{message}");
        // The length and what it counts do not shrink together; all that can be is left out or zero.
        assert!(message.contains("6e6208ffffffff00000000"), "{message}");
    }

    #[test]
    fn a_run_without_a_time_is_always_the_same() {
        let run = || {
            let inputs = std::cell::RefCell::new(Vec::new());
            Fuzz::new("same").seeds([b"seed"]).inputs(500).run(|bytes| {
                inputs.borrow_mut().push(bytes.to_vec());
                bytes.len() as u64
            });
            inputs.into_inner()
        };
        assert_eq!(run(), run());
    }

    #[test]
    fn a_run_that_tests_nothing_fails() {
        let message = failure(Fuzz::new("blind").seeds([b"seed"]).inputs(100), |_| 7);
        assert!(message.contains("one outcome"), "{message}");
        let message = failure(Fuzz::new("seedless"), |bytes| bytes.len() as u64);
        assert!(message.contains("no seed"), "{message}");
    }

    #[test]
    fn inputs_are_not_longer_than_they_may_be() {
        let fuzz = Fuzz::new("bounded").seeds([[7u8; 20]]).longest(30);
        fuzz.inputs(2_000).run(|bytes| {
            assert!(bytes.len() <= 30);
            bytes.len() as u64
        });
    }
}
