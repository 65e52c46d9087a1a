// SPDX-License-Identifier: GPL-2.0-only

//! The Unix socket of nlbd, for root alone: one request on a connection.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nlbadm::daemon::{Content, PATIENCE, REQUEST_MAX, Reply, Request, VERSION, Wanted};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc, oneshot},
    time::timeout,
};

use crate::log;

/// Connections at the same time. Further ones wait.
const CONNECTIONS_MAX: usize = 16;

/// How long no connection is taken after one could not be.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// What somebody wants to know, and where the answer goes.
pub(crate) type Question = (Wanted, oneshot::Sender<Content>);

/// A socket that is removed when it is not listened to any more.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    listener: UnixListener,
    room: Arc<Semaphore>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

impl Socket {
    /// Listens at a path. One that an earlier process has left there is removed.
    ///
    /// # Errors
    ///
    /// If another process listens there, or it cannot be made.
    pub(crate) fn listen(path: &Path) -> io::Result<Self> {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                "another nlbd listens there",
            ));
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Socket {
            path: path.into(),
            listener,
            room: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        })
    }

    /// Takes connections for ever, and hands on what is asked.
    pub(crate) async fn serve(self, questions: mpsc::Sender<Question>) {
        while let Ok(permit) = Arc::clone(&self.room).acquire_owned().await {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let questions = questions.clone();
                    tokio::spawn(async move {
                        // One that takes too long, or has gone, is nobody's loss.
                        drop(timeout(PATIENCE, answer(stream, questions)).await);
                        drop(permit);
                    });
                }
                // One that has gone before it was taken, or no room for files at the moment.
                Err(error) => {
                    log!("socket: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Answers one request.
async fn answer(mut stream: UnixStream, questions: mpsc::Sender<Question>) -> io::Result<()> {
    let (reading, mut writing) = stream.split();
    let mut line = Vec::new();
    BufReader::new(reading.take(REQUEST_MAX))
        .read_until(b'\n', &mut line)
        .await?;
    let content = match request(&line) {
        Ok(wanted) => ask(wanted, questions).await,
        Err(text) => Content::Error(text),
    };
    let reply = Reply {
        version: VERSION,
        content,
    };
    let mut line = serde_json::to_vec(&reply)?;
    line.push(b'\n');
    writing.write_all(&line).await
}

/// What is wanted, or what is wrong with the request.
fn request(line: &[u8]) -> Result<Wanted, String> {
    /// What every version of a request has.
    #[derive(serde::Deserialize)]
    struct Versioned {
        version: u32,
    }

    let Versioned { version } =
        serde_json::from_slice(line).map_err(|error| format!("this is no request: {error}"))?;
    if version != VERSION {
        return Err(format!(
            "the request is of version {version}, and this nlbd speaks version {VERSION}: install both programs of one release"
        ));
    }
    let request: Request = serde_json::from_slice(line)
        .map_err(|error| format!("there is no such request: {error}"))?;
    Ok(request.request)
}

async fn ask(wanted: Wanted, questions: mpsc::Sender<Question>) -> Content {
    let (sender, receiver) = oneshot::channel();
    let ends = || Content::Error("nlbd ends".into());
    if questions.send((wanted, sender)).await.is_err() {
        return ends();
    }
    receiver.await.unwrap_or_else(|_| ends())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A socket that answers with no checks.
    fn listen(path: &Path) {
        let socket = Socket::listen(path).unwrap();
        let (sender, mut receiver) = mpsc::channel::<Question>(1);
        tokio::spawn(socket.serve(sender));
        tokio::spawn(async move {
            while let Some((_, reply)) = receiver.recv().await {
                drop(reply.send(Content::Checks(Vec::new())));
            }
        });
    }

    async fn asked(path: &Path, request: &[u8]) -> String {
        let mut stream = UnixStream::connect(path).await.unwrap();
        // It may have answered and gone before it has read all.
        drop(stream.write_all(request).await);
        drop(stream.shutdown().await);
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        reply
    }

    #[tokio::test]
    async fn requests_are_answered_and_others_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nlbd.sock");
        listen(&path);
        for (request, reply) in [
            (
                r#"{"version":1,"request":"checks"}"#,
                r#"{"version":1,"checks":[]}"#,
            ),
            (
                r#"{"version":1,"request":"checks","more":1}"#,
                r#""checks":[]"#,
            ),
            (
                r#"{"version":2,"request":"all"}"#,
                "this nlbd speaks version 1",
            ),
            (
                r#"{"version":1,"request":"all"}"#,
                "there is no such request",
            ),
            ("nonsense", "this is no request"),
            ("", "this is no request"),
        ] {
            let found = asked(&path, format!("{request}\n").as_bytes()).await;
            assert!(
                found.contains(reply) && found.ends_with('\n'),
                "{request}: {found}"
            );
        }
    }

    #[tokio::test]
    async fn the_socket_is_for_its_owner_and_gone_with_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nlbd.sock");
        let socket = Socket::listen(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(Socket::listen(&path).is_err(), "another process listens");
        drop(socket);
        assert!(!path.exists());
        // One that was killed has left its socket there.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(Socket::listen(&path).is_ok());
    }

    #[tokio::test]
    async fn a_request_without_end_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nlbd.sock");
        listen(&path);
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let long = vec![b'['; usize::try_from(REQUEST_MAX).unwrap()];
        stream.write_all(&long).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        assert!(reply.contains("this is no request"), "{reply}");
    }

    #[test]
    fn fuzz_nlbd_request() {
        let seeds = [
            r#"{"version":1,"request":"checks"}"#,
            r#"{"version":2,"request":{"set":[1,2]}}"#,
        ];
        let fuzz = nlb_fuzz::Fuzz::new("nlbd-request").seeds(seeds);
        fuzz.longest(REQUEST_MAX as usize).run(|line| {
            let outcome = match request(line) {
                Ok(wanted) => format!("{wanted:?}"),
                // What was sent does not come back at length.
                Err(text) => {
                    assert!(text.len() < 2 * REQUEST_MAX as usize, "{text}");
                    text.split(':').next().unwrap_or_default().to_owned()
                }
            };
            nlb_fuzz::outcome(outcome)
        });
    }
}
