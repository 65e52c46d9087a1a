// SPDX-License-Identifier: GPL-2.0-only

//! Programs that are told what happens: each executable file of a directory gets every event as one line of JSON on its
//! standard input.

use std::{
    collections::VecDeque,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{io::AsyncWriteExt, process::Command, sync::Notify, time::timeout};

use crate::{
    group::Group,
    log::{self, log},
    trust,
};

/// How long a program may take for one event.
const PATIENCE: Duration = Duration::from_secs(10);

/// Programs that are told at most.
const PROGRAMS_MAX: usize = 16;

/// Events that wait for programs at most. Further ones are not told, and counted.
const WAITING_MAX: usize = 256;

/// Tells programs of events, one event after the other; all programs of one event at the same time.
#[derive(Clone, Debug)]
pub(crate) struct Hooks {
    waiting: Arc<Mutex<Waiting>>,
    more: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<String>,
    dropped: u64,
}

impl Hooks {
    /// Programs of a directory, which is looked into at each event. Needs a runtime.
    pub(crate) fn start(directory: PathBuf) -> Self {
        let hooks = Hooks {
            waiting: Arc::default(),
            more: Arc::default(),
        };
        let own = hooks.clone();
        tokio::spawn(async move {
            loop {
                match own.take() {
                    Some(line) => tell(&directory, &line).await,
                    None => own.more.notified().await,
                }
            }
        });
        hooks
    }

    /// Has an event told when those before it have been.
    pub(crate) fn event(&self, line: String) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.lines.len() < WAITING_MAX {
            waiting.lines.push_back(line);
        } else {
            waiting.dropped += 1;
        }
        drop(waiting);
        self.more.notify_one();
    }

    fn take(&self) -> Option<String> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.lines.is_empty() && waiting.dropped > 0 {
            let dropped = std::mem::take(&mut waiting.dropped);
            log!(
                "hooks: {dropped} events were not told: programs took too long for those before them"
            );
        }
        waiting.lines.pop_front()
    }
}

/// Tells all programs of one event, and waits until they have ended.
async fn tell(directory: &Path, line: &str) {
    let programs = match programs(directory) {
        Ok(programs) => programs,
        Err(error) => {
            log!("hooks: {}: {error}", directory.display());
            return;
        }
    };
    let told: Vec<_> = programs
        .into_iter()
        .map(|program| {
            let line = line.to_owned();
            tokio::spawn(async move {
                match timeout(PATIENCE, run(&program, &line)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => log!("hooks: {}: {error}", program.display()),
                    Err(_) => log!(
                        "hooks: {}: killed after {} s",
                        program.display(),
                        PATIENCE.as_secs()
                    ),
                }
            })
        })
        .collect();
    for program in told {
        // One that panicked is logged by the runtime.
        drop(program.await);
    }
}

/// The programs of a directory, in their order; none if there is no such directory. Names with a dot are no programs, such
/// as what package managers and editors leave. One that others than root may write is left out.
fn programs(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut programs = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let runs = fs::metadata(&path)
            .is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0);
        let plain = path
            .file_name()
            .is_some_and(|name| !name.to_string_lossy().contains('.'));
        if !(runs && plain) {
            continue;
        }
        match trust::may_run(&path) {
            Ok(()) => programs.push(path),
            Err(wrong) => drop(log::once(&format!("hooks: {wrong}"))),
        }
    }
    programs.sort();
    if programs.len() > PROGRAMS_MAX {
        log!(
            "hooks: {} has more than {PROGRAMS_MAX} programs: those that come last are not told",
            directory.display()
        );
        programs.truncate(PROGRAMS_MAX);
    }
    Ok(programs)
}

/// Runs a program with a line on its standard input; what it says on its standard error goes to the journal. If this is
/// dropped before, it is killed with its group.
async fn run(program: &Path, line: &str) -> io::Result<()> {
    let mut child = Command::new(program)
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let group = Group::of(&child);
    if let Some(mut input) = child.stdin.take() {
        // A program need not read what it is told.
        drop(input.write_all(format!("{line}\n").as_bytes()).await);
    }
    let status = child.wait().await;
    group.ended();
    let status = status?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(status.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn program(folder: &Path, name: &str, script: &str, mode: u32) {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    async fn until(what: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !what() {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn each_program_gets_each_event_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let out = |name: &str| folder.path().join(format!("out.{name}"));
        let script = |name: &str| format!("cat >>{}", out(name).display());
        program(folder.path(), "one", &script("one"), 0o755);
        program(folder.path(), "two", &script("two"), 0o700);
        program(folder.path(), "three.bak", &script("three"), 0o755);
        program(folder.path(), "four", &script("four"), 0o644);
        program(folder.path(), "five", &script("five"), 0o775);
        program(folder.path(), "six", &script("six"), 0o757);
        let hooks = Hooks::start(folder.path().into());
        let lines: String = (0..5)
            .map(|number| format!("{{\"event\":{number}}}\n"))
            .collect();
        for line in lines.lines() {
            hooks.event(line.into());
        }
        let read = |name: &str| fs::read_to_string(out(name)).unwrap_or_default();
        until(|| read("one") == lines && read("two") == lines).await;
        for left_out in ["three", "four", "five", "six"] {
            assert!(!out(left_out).exists(), "{left_out}");
        }
    }

    #[tokio::test]
    async fn a_program_that_fails_keeps_nobody_from_being_told() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out.txt");
        program(folder.path(), "a", "exec <&-; exit 3", 0o755);
        program(
            folder.path(),
            "b",
            &format!("cat >>{}", out.display()),
            0o755,
        );
        let hooks = Hooks::start(folder.path().into());
        hooks.event("x".repeat(100_000));
        hooks.event("second".into());
        until(|| fs::read_to_string(&out).is_ok_and(|text| text.ends_with("second\n"))).await;
    }

    #[tokio::test]
    async fn what_waits_is_bounded() {
        let hooks = Hooks::start("/nowhere/hooks.d".into());
        for _ in 0..WAITING_MAX + 7 {
            hooks.event("x".into());
        }
        let waiting = hooks.waiting.lock().unwrap();
        assert_eq!((waiting.lines.len(), waiting.dropped), (WAITING_MAX, 7));
    }
}
