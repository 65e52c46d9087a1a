// SPDX-License-Identifier: GPL-2.0-only

//! How a program ends.

use std::{
    io,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    time::timeout,
};

use crate::{group::Group, health::Answer, log, trust};

/// How much of its output is kept, in bytes; the rest is read and dropped.
const OUTPUT_MAX: usize = 4096;

/// How long output is waited for that a program has left to others when it ended.
const AFTERMATH: Duration = Duration::from_millis(20);

/// A program with the exit codes of a monitoring plugin. One that others than root may write is not run.
pub(super) async fn run(program: &Path, arguments: &[String]) -> Answer {
    if let Err(wrong) = trust::may_run(program) {
        log::once(&format!("check: {wrong}"));
        return Answer::unknown(wrong);
    }
    let mut command = Command::new(program);
    command.args(arguments);
    let (status, output) = match ended(command).await {
        Ok(ended) => ended,
        Err(error) => return Answer::unknown(format!("{}: {error}", program.display())),
    };
    let line = output.lines().next().unwrap_or_default();
    match status.code() {
        Some(code @ (0 | 1)) => {
            Answer::good(with(&format!("exit code {code}"), line)).with_weight(&output)
        }
        Some(2) => Answer::bad(with("exit code 2", line)),
        Some(code) => Answer::unknown(with(&format!("exit code {code}"), line)),
        None => Answer::unknown(with(&status.to_string(), line)),
    }
}

/// Whether a unit of systemd is active.
pub(super) async fn unit(unit: &str) -> Answer {
    let mut command = Command::new("systemctl");
    command.args(["is-active", "--", unit]);
    let (status, output) = match ended(command).await {
        Ok(ended) => ended,
        Err(error) => return Answer::unknown(format!("systemctl: {error}")),
    };
    let state = output.trim();
    match status.code() {
        Some(0) => Answer::good(format!("{unit} is {state}")),
        // 3: it is not active; 4: there is none.
        Some(3 | 4) => Answer::bad(format!("{unit} is {state}")),
        _ => Answer::unknown(with(&format!("systemctl: {status}"), state)),
    }
}

fn with(what: &str, line: &str) -> String {
    if line.is_empty() {
        what.into()
    } else {
        format!("{what}: {line}")
    }
}

/// Runs a program to its end. If this is dropped before, the program is killed, with what it started in its group.
async fn ended(mut command: Command) -> io::Result<(ExitStatus, String)> {
    let mut child = command
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let group = Group::of(&child);
    let mut kept = Vec::new();
    let mut output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let status = tokio::select! {
        status = child.wait() => status,
        error = read(&mut output, &mut kept) => match error {
            Ok(()) => child.wait().await,
            Err(error) => Err(error),
        },
    };
    group.ended();
    let status = status?;
    // What it wrote last; others may hold the pipe open for long.
    if let Ok(read) = timeout(AFTERMATH, read(&mut output, &mut kept)).await {
        read?;
    }
    Ok((status, String::from_utf8_lossy(&kept).into_owned()))
}

/// Reads to the end, and keeps the beginning.
async fn read(output: &mut (impl AsyncRead + Unpin), kept: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let length = output.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        let room = OUTPUT_MAX.saturating_sub(kept.len());
        kept.extend(buffer.iter().take(length.min(room)));
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, time::Instant};

    use super::*;
    use crate::health::Verdict;

    async fn shell(script: &str) -> Answer {
        run(Path::new("/bin/sh"), &["-c".into(), script.into()]).await
    }

    #[tokio::test]
    async fn exit_codes_are_those_of_monitoring_plugins() {
        for (script, answer) in [
            (
                "echo all is well; echo more",
                Answer::good("exit code 0: all is well"),
            ),
            ("exit 1", Answer::good("exit code 1")),
            (
                "echo fine; echo weight=30",
                Answer::good("exit code 0: fine").with_weight("weight=30"),
            ),
            ("echo dead; exit 2", Answer::bad("exit code 2: dead")),
            ("exit 3", Answer::unknown("exit code 3")),
            ("exit 127", Answer::unknown("exit code 127")),
        ] {
            assert_eq!(shell(script).await, answer);
        }
        let killed = shell("kill -9 $$").await;
        assert_eq!(killed.verdict, Verdict::Unknown, "{killed:?}");
        let absent = run(Path::new("/nowhere/check"), &[]).await;
        assert_eq!(absent.verdict, Verdict::Unknown, "{absent:?}");
    }

    #[tokio::test]
    async fn what_others_may_write_tells_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("check");
        std::os::unix::fs::symlink("/bin/true", &program).unwrap();
        assert_eq!(run(&program, &[]).await, Answer::good("exit code 0"));
        fs::remove_file(&program).unwrap();
        let ran = folder.path().join("ran");
        fs::write(&program, format!("#!/bin/sh\n>{}\n", ran.display())).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o775)).unwrap();
        let answer = run(&program, &[]).await;
        assert_eq!(answer.verdict, Verdict::Unknown, "{answer:?}");
        assert!(answer.text.contains("is not run") && !ran.exists());
    }

    #[tokio::test]
    async fn output_is_bounded_and_does_not_block() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "head -c 1000000 /dev/zero | tr '\\0' x"]);
        let (status, output) = ended(command).await.unwrap();
        assert!(status.success());
        assert_eq!(output.len(), OUTPUT_MAX);
    }

    #[tokio::test]
    async fn a_child_that_keeps_the_output_open_is_not_waited_for() {
        let began = Instant::now();
        assert_eq!(
            shell("sleep 30 & echo here").await,
            Answer::good("exit code 0: here")
        );
        assert!(began.elapsed() < Duration::from_secs(20));
    }

    /// A program that does not end is killed, and so is what it started.
    #[tokio::test]
    async fn what_hangs_is_killed_with_its_group() {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let script = format!(
            "echo $$ >{0}; sleep 1000 & echo $! >>{0}; wait",
            pids.display()
        );
        let mut hanging = Box::pin(shell(&script));
        let numbers = loop {
            tokio::select! {
                answer = &mut hanging => panic!("{answer:?}"),
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
            let text = fs::read_to_string(&pids).unwrap_or_default();
            if text.lines().count() == 2 {
                break text;
            }
        };
        drop(hanging);
        // It has gone, or is dead and waits to be collected.
        let lives = |number: &str| {
            let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
            stat.rsplit_once(") ")
                .is_some_and(|(_, rest)| !rest.starts_with('Z'))
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        for number in numbers.lines() {
            while lives(number) {
                assert!(Instant::now() < deadline, "{number} lives");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}
