// SPDX-License-Identifier: GPL-2.0-only

//! The process: files, signals, events, the socket and the checks, in one thread.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use nlbadm::{
    Machine,
    daemon::{Content, Wanted},
};
use sd_notify::NotifyState;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use crate::{
    Arguments, events,
    files::Files,
    health::Answer,
    host::{CheckId, Host, Watch},
    kernel::Linux,
    log,
    marks::Marks,
    report,
    schedule::Schedule,
    socket::{Question, Socket},
};

/// How often it is looked at what was given up, should events be missed.
const LOOK: Duration = Duration::from_secs(5);

/// Answers and questions that wait.
const QUEUE: usize = 64;

/// Runs until SIGTERM or SIGINT; SIGHUP reads the files again.
///
/// # Errors
///
/// If it cannot begin: its directory cannot be made, or another nlbd runs.
pub(crate) fn run(arguments: &Arguments) -> io::Result<()> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let directory = &arguments.run_directory;
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory);
    let at = |path: &Path, error: io::Error| {
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    };
    made.map_err(|error| at(directory, error))?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let path = directory.join("nlbd.sock");
        let socket = Socket::listen(&path).map_err(|error| at(&path, error))?;
        let path = directory.join("marks.json");
        let marks = Marks::read(&path).unwrap_or_else(|error| {
            log!(
                "{}: {error}: what was given up before is not known",
                path.display()
            );
            Marks::none(&path)
        });
        let (found, answers) = mpsc::channel(QUEUE);
        let mut daemon = Daemon {
            files: Files::new(arguments.files.clone(), arguments.host.clone()),
            host: Host::new(Linux::default(), marks),
            schedule: Schedule::new(found),
        };
        daemon.reload();
        daemon.serve(&socket, answers).await
    })
}

/// The state of the process.
struct Daemon {
    files: Files,
    host: Host<Linux>,
    schedule: Schedule,
}

/// What makes the process act.
enum Wake {
    Answer(CheckId, Answer),
    Question(Question),
    /// The state of a cluster may have changed.
    Look,
    Reload,
    End,
}

impl Daemon {
    /// Reads the files again.
    fn reload(&mut self) {
        let before = self.host.watches().iter().map(|watch| watch.id).max();
        let (clusters, unread) = self.files.read(&Machine::this());
        self.host
            .set(clusters, unread, Instant::now(), SystemTime::now());
        self.schedule.set(self.host.watches());
        let new = |watch: &&Watch| Some(watch.id) > before;
        let new = self.host.watches().iter().filter(new).count();
        let all = self.host.watches().len();
        let plural = if all == 1 { "" } else { "s" };
        log!("{all} check{plural}, {new} of them new");
    }

    /// Does what there is to do until the process shall end.
    async fn serve(
        &mut self,
        socket: &Socket,
        mut answers: mpsc::Receiver<(CheckId, Answer)>,
    ) -> io::Result<()> {
        let (asked, mut questions) = mpsc::channel(QUEUE);
        let mut hangup = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (hears, mut heard) = mpsc::channel(QUEUE);
        events::listen(hears);
        let serving = socket.serve(asked);
        tokio::pin!(serving);
        tell(&[NotifyState::Ready]);
        loop {
            let wake = tokio::select! {
                Some((id, answer)) = answers.recv() => Wake::Answer(id, answer),
                Some(question) = questions.recv() => Wake::Question(question),
                error = &mut serving => return Err(error),
                Some(()) = heard.recv() => Wake::Look,
                _ = ticks.tick() => Wake::Look,
                _ = hangup.recv() => Wake::Reload,
                _ = terminate.recv() => Wake::End,
                _ = interrupt.recv() => Wake::End,
            };
            match wake {
                Wake::Answer(id, answer) => {
                    self.host
                        .answer(id, answer, Instant::now(), SystemTime::now());
                }
                Wake::Question((wanted, reply)) => {
                    // Who asked may have gone.
                    drop(reply.send(self.reply(wanted)));
                }
                Wake::Look => self.host.look(Instant::now()),
                Wake::Reload => {
                    tell(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?]);
                    self.reload();
                    tell(&[NotifyState::Ready]);
                }
                Wake::End => {
                    tell(&[NotifyState::Stopping]);
                    return Ok(());
                }
            }
        }
    }

    fn reply(&self, wanted: Wanted) -> Content {
        match wanted {
            Wanted::Checks => Content::Checks(report::checks(&self.host)),
        }
    }
}

/// Tells systemd. Nobody listens where there is none; that is no failure.
fn tell(states: &[NotifyState<'_>]) {
    drop(sd_notify::notify(states));
}
