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
    daemon::{Content, Wanted, event_line},
};
use sd_notify::NotifyState;
use serde::Serialize;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use crate::{
    Arguments,
    events::{self, Heard},
    exporter::{self, Place},
    files::Files,
    health::Answer,
    hooks::Hooks,
    host::{CheckId, Host, News, Watch},
    kernel::Linux,
    log,
    marks::Marks,
    remote::{Book, Remote},
    replica::{News as FileNews, Replicas},
    report,
    schedule::Schedule,
    socket::{Question, Socket},
};

/// How often it is looked at what was given up, should events be missed.
const LOOK: Duration = Duration::from_secs(5);

/// How long after a failure it is tried again to listen for those who collect metrics.
const EXPORT_AGAIN: Duration = Duration::from_secs(5);

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
    made.map_err(|error| at(directory, error))?;
    let place = metrics_place(arguments.metrics.as_deref());
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let path = directory.join("nlbd.sock");
        let socket = Socket::listen(&path).map_err(|error| at(&path, error))?;
        let (found, answers) = mpsc::channel(QUEUE);
        let (asked, questions) = mpsc::channel(QUEUE);
        let (hears, heard) = mpsc::channel(QUEUE);
        let (told, of_files) = mpsc::unbounded_channel();
        if let Some(place) = place {
            tokio::spawn(exporter::run(place, asked.clone(), EXPORT_AGAIN));
        }
        tokio::spawn(socket.serve(asked));
        events::listen(hears);
        let mut daemon = Daemon {
            files: Files::new(arguments.files.clone(), arguments.host.clone()),
            host: Host::new(Linux::default(), marks(&directory.join("marks.json"))),
            schedule: Schedule::new(found),
            hooks: Hooks::start(arguments.hooks.clone()),
            remote: Remote::default(),
            replicas: Replicas::new(arguments.state_directory.clone(), told),
            is_ready: false,
            book: Book::default(),
            asked: Linux::default(),
        };
        daemon.reload();
        let inputs = Inputs {
            answers,
            questions,
            heard,
            of_files,
        };
        daemon.serve(inputs).await
    })
}

/// An error of a file.
fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// What an earlier process noted. If that cannot be read it is told, for something may stay given up.
fn marks(path: &Path) -> Marks {
    Marks::read(path).unwrap_or_else(|error| {
        log!(
            "{}: {error}: what was given up before is not known; `nlbadm rules` shows what drains",
            path.display()
        );
        Marks::none(path)
    })
}

/// Where metrics are to be had. If that cannot be read it is told: checks are more important.
fn metrics_place(text: Option<&str>) -> Option<Place> {
    let text = text.filter(|text| !text.is_empty())?;
    match text.parse() {
        Ok(place) => Some(place),
        Err(error) => {
            log!("no metrics at {text}: {error}");
            None
        }
    }
}

/// The state of the process.
struct Daemon {
    files: Files,
    host: Host<Linux>,
    schedule: Schedule,
    hooks: Hooks,
    remote: Remote,
    replicas: Replicas,
    /// Whether systemd was told that it is.
    is_ready: bool,
    book: Book,
    /// For the book.
    asked: Linux,
}

/// What comes from the tasks.
struct Inputs {
    answers: mpsc::Receiver<(CheckId, Answer)>,
    questions: mpsc::Receiver<Question>,
    heard: mpsc::Receiver<Heard>,
    of_files: mpsc::UnboundedReceiver<FileNews>,
}

/// What makes the process act.
enum Wake {
    Answer(CheckId, Answer),
    Question(Question),
    /// Events of the module.
    Heard(Heard),
    /// The state of a cluster may have changed.
    Look,
    Reload,
    /// Of files that all hosts have the same.
    File(FileNews),
    End,
}

impl Daemon {
    /// Reads the files again.
    fn reload(&mut self) {
        let before = self.host.watches().iter().map(|watch| watch.id).max();
        let read = self.files.read(&Machine::this());
        self.host
            .set(read.checks, read.unread, Instant::now(), SystemTime::now());
        self.schedule.set(self.host.watches());
        let new = |watch: &&Watch| Some(watch.id) > before;
        let new = self.host.watches().iter().filter(new).count();
        let all = self.host.watches().len();
        let plural = if all == 1 { "" } else { "s" };
        log!("{all} check{plural}, {new} of them new");
        self.replicas.set(read.replicas);
        let mut access = read.access;
        access.replicas = self.replicas.access();
        self.remote.set(access);
        self.note_hosts();
    }

    /// Notes where the hosts of clusters with remote control are.
    fn note_hosts(&mut self) {
        self.book.look(&mut self.asked, &self.remote.clusters());
    }

    /// Does what there is to do until the process shall end.
    async fn serve(&mut self, mut inputs: Inputs) -> io::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What is ordered behind this process serves clients: it waits until the file is that of the cluster, or for a while.
        self.ready();
        loop {
            let wake = tokio::select! {
                Some((id, answer)) = inputs.answers.recv() => Wake::Answer(id, answer),
                Some(question) = inputs.questions.recv() => Wake::Question(question),
                Some(heard) = inputs.heard.recv() => Wake::Heard(heard),
                Some(news) = inputs.of_files.recv() => Wake::File(news),
                _ = ticks.tick() => Wake::Look,
                _ = hangup.recv() => Wake::Reload,
                _ = terminate.recv() => Wake::End,
                _ = interrupt.recv() => Wake::End,
            };
            if matches!(wake, Wake::End) {
                notify(&[NotifyState::Stopping]);
                self.remote.end();
                return Ok(());
            }
            self.act(wake)?;
            self.tell_hooks();
        }
    }

    fn act(&mut self, wake: Wake) -> io::Result<()> {
        let now = Instant::now();
        match wake {
            Wake::Answer(id, answer) => self.host.answer(id, answer, now, SystemTime::now()),
            // Who asked may have gone.
            Wake::Question((wanted, reply)) => drop(reply.send(self.reply(wanted))),
            Wake::Heard(heard) => {
                if let Heard::Events(events) = heard {
                    for event in events {
                        self.hooks.event(event_line(clock(), event)?);
                    }
                }
                self.host.look(now);
                self.note_hosts();
            }
            Wake::Look => {
                self.host.look(now);
                self.note_hosts();
            }
            Wake::Reload => {
                notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?]);
                self.reload();
                notify(&[NotifyState::Ready]);
            }
            Wake::File(FileNews::File) => self.reload(),
            Wake::File(FileNews::Synced) => self.ready(),
            Wake::End => {}
        }
        Ok(())
    }

    /// Tells systemd once that it is ready, when it is.
    fn ready(&mut self) {
        if !self.is_ready && self.replicas.are_synced() {
            self.is_ready = true;
            notify(&[NotifyState::Ready]);
        }
    }

    /// Tells programs what has become of the checks.
    fn tell_hooks(&mut self) {
        for news in self.host.news() {
            match serde_json::to_string(&Told {
                time: clock(),
                news,
            }) {
                Ok(line) => self.hooks.event(line),
                Err(error) => log!("hooks: {error}"),
            }
        }
    }

    fn reply(&self, wanted: Wanted) -> Content {
        match wanted {
            Wanted::Checks => Content::Checks(report::checks(&self.host)),
            Wanted::Hosts => Content::Hosts(self.book.hosts()),
        }
    }
}

/// News as programs are told them.
#[derive(Serialize)]
struct Told {
    time: String,
    #[serde(flatten)]
    news: News,
}

/// The time of the day: RFC 3339, UTC.
fn clock() -> String {
    report::time(SystemTime::now())
}

/// Tells systemd. Nobody listens where there is none; that is no failure.
fn notify(states: &[NotifyState<'_>]) {
    drop(sd_notify::notify(states));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_at_a_wrong_place_are_left_out() {
        for none in [None, Some(""), Some("localhost"), Some("127.0.0.1")] {
            assert_eq!(metrics_place(none), None, "{none:?}");
        }
        assert_eq!(
            metrics_place(Some("/run/x")),
            Some(Place::Path("/run/x".into()))
        );
    }
}
