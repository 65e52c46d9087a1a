// SPDX-License-Identifier: GPL-2.0-only

//! Metrics over HTTP, for those who collect them: on an address or a Unix socket, and nothing but `GET /metrics`.

use std::{
    convert::Infallible, fmt, fs, io, net::SocketAddr, os::unix::fs::FileTypeExt, path::PathBuf,
    str::FromStr, sync::Arc, time::Duration,
};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use nlbadm::{
    daemon::{Content, Wanted},
    metrics,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::{Semaphore, mpsc, oneshot},
    time::timeout,
};

use crate::{
    log,
    socket::{PAUSE, Question},
};

/// Connections at the same time. Further ones wait.
const CONNECTIONS_MAX: usize = 8;

/// How long a connection may take as a whole.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where metrics are to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Address(SocketAddr),
    Path(PathBuf),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with('/') {
            return Ok(Place::Path(text.into()));
        }
        text.parse().map(Place::Address).map_err(|_| {
            "write an address with its port, such as 127.0.0.1:9842, or the path of a socket, such as /run/nlb/metrics.sock".into()
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Address(address) => address.fmt(f),
            Place::Path(path) => path.display().fmt(f),
        }
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Gives metrics at a place, for ever. While it cannot listen there it tries again after `pause`.
pub(crate) async fn run(place: Place, questions: mpsc::Sender<Question>, pause: Duration) {
    let mut told = String::new();
    let exporter = loop {
        match Exporter::listen(&place).await {
            Ok(exporter) => break exporter,
            Err(error) => {
                let text = error.to_string();
                if text != told {
                    log!("no metrics at {place} for now: {text}");
                    told = text;
                }
                tokio::time::sleep(pause).await;
            }
        }
    };
    if !told.is_empty() {
        log!("metrics at {place}");
    }
    exporter.serve(questions).await;
}

/// Gives metrics to those who ask for them.
pub(crate) struct Exporter {
    listener: Listener,
    room: Arc<Semaphore>,
}

impl Exporter {
    /// Listens at a place. A socket that an earlier process has left there is removed.
    ///
    /// # Errors
    ///
    /// As `bind(2)`, or if there is something at the path that is no socket.
    pub(crate) async fn listen(place: &Place) -> io::Result<Self> {
        let listener = match place {
            Place::Address(address) => Listener::Tcp(TcpListener::bind(address).await?),
            Place::Path(path) => {
                match fs::symlink_metadata(path) {
                    Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
                    Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
                    Err(_) => {}
                }
                Listener::Unix(UnixListener::bind(path)?)
            }
        };
        Ok(Exporter {
            listener,
            room: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        })
    }

    /// Takes connections for ever; `questions` are answered with the checks.
    pub(crate) async fn serve(self, questions: mpsc::Sender<Question>) {
        while let Ok(permit) = Arc::clone(&self.room).acquire_owned().await {
            let questions = questions.clone();
            let accepted = match &self.listener {
                Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                    tokio::spawn(async move {
                        answer(stream, questions).await;
                        drop(permit);
                    });
                }),
                Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| {
                    tokio::spawn(async move {
                        answer(stream, questions).await;
                        drop(permit);
                    });
                }),
            };
            // One that has gone before it was taken, or no room for files at the moment.
            if let Err(error) = accepted {
                log!("metrics: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Answers one request on a connection; one that takes too long, or goes, is nobody's loss.
async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, questions: mpsc::Sender<Question>) {
    let service = service_fn(move |request| respond(request, questions.clone()));
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    drop(timeout(PATIENCE, connection).await);
}

async fn respond(
    request: Request<Incoming>,
    questions: mpsc::Sender<Question>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, text) = if request.uri().path() != "/metrics" {
        (
            StatusCode::NOT_FOUND,
            "there is /metrics here, and nothing else\n".to_owned(),
        )
    } else if request.method() != Method::GET {
        (StatusCode::METHOD_NOT_ALLOWED, "ask by GET\n".to_owned())
    } else {
        match measured(questions).await {
            Ok(text) => (StatusCode::OK, text),
            Err(text) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{text}\n")),
        }
    };
    let content_type = if status == StatusCode::OK {
        metrics::CONTENT_TYPE
    } else {
        "text/plain; charset=utf-8"
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        hyper::header::HeaderValue::from_static(content_type),
    );
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, hyper::header::HeaderValue::from_static("GET"));
    }
    Ok(response)
}

async fn measured(questions: mpsc::Sender<Question>) -> Result<String, String> {
    let (sender, receiver) = oneshot::channel();
    let ends = || "nlbd ends".to_owned();
    questions
        .send((Wanted::Checks, sender))
        .await
        .map_err(|_| ends())?;
    match receiver.await.map_err(|_| ends())? {
        Content::Checks(checks) => metrics::text(&checks).map_err(|failure| failure.to_string()),
        Content::Error(text) => Err(text),
        Content::Hosts(_) => Err("that was not asked for".into()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpStream, UnixStream},
    };

    use super::*;

    #[test]
    fn a_place_is_an_address_or_a_path() {
        let place = |text: &str| text.parse::<Place>();
        assert_eq!(
            place("127.0.0.1:1"),
            Ok(Place::Address("127.0.0.1:1".parse().unwrap()))
        );
        assert_eq!(
            place("[::1]:1"),
            Ok(Place::Address("[::1]:1".parse().unwrap()))
        );
        assert_eq!(place("/run/x"), Ok(Place::Path("/run/x".into())));
        for wrong in ["", "localhost:1", "127.0.0.1", "run/x"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }

    /// Questions, answered with no checks.
    fn answered() -> mpsc::Sender<Question> {
        let (sender, mut receiver) = mpsc::channel::<Question>(1);
        tokio::spawn(async move {
            while let Some((_, reply)) = receiver.recv().await {
                drop(reply.send(Content::Checks(Vec::new())));
            }
        });
        sender
    }

    async fn asked(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        reply
    }

    #[tokio::test]
    async fn metrics_are_there_and_nothing_else_is() {
        let exporter = Exporter::listen(&"127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let Listener::Tcp(listener) = &exporter.listener else {
            panic!("no address");
        };
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { exporter.serve(answered()).await });
        for (request, head, text) in [
            (
                "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n",
                "HTTP/1.1 200",
                "\nnlb_module_loaded ",
            ),
            (
                "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
                "HTTP/1.1 404",
                "there is /metrics",
            ),
            (
                "POST /metrics HTTP/1.0\r\n\r\n",
                "HTTP/1.0 405",
                "ask by GET",
            ),
            ("nonsense\r\n\r\n", "HTTP/1.1 400", ""),
        ] {
            let reply = asked(TcpStream::connect(address).await.unwrap(), request).await;
            assert!(reply.starts_with(head) && reply.contains(text), "{reply}");
        }
    }

    #[tokio::test]
    async fn a_socket_that_was_left_is_replaced_and_a_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.sock");
        let place = Place::Path(path.clone());
        drop(Exporter::listen(&place).await.unwrap());
        let exporter = Exporter::listen(&place).await.unwrap();
        tokio::spawn(async move { exporter.serve(answered()).await });
        let stream = UnixStream::connect(&path).await.unwrap();
        let reply = asked(stream, "GET /metrics HTTP/1.0\r\n\r\n").await;
        assert!(reply.contains("application/openmetrics-text"), "{reply}");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a file").unwrap();
        assert!(Exporter::listen(&place).await.is_err());
    }

    #[tokio::test]
    async fn a_place_that_is_taken_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.sock");
        fs::write(&path, "a file").unwrap();
        let pause = Duration::from_millis(5);
        let serves = tokio::spawn(run(Place::Path(path.clone()), answered(), pause));
        tokio::time::sleep(4 * pause).await;
        assert!(!serves.is_finished() && path.is_file());
        fs::remove_file(&path).unwrap();
        let stream = loop {
            match UnixStream::connect(&path).await {
                Ok(stream) => break stream,
                Err(_) => tokio::time::sleep(pause).await,
            }
        };
        let reply = asked(stream, "GET /metrics HTTP/1.0\r\n\r\n").await;
        assert!(reply.contains("application/openmetrics-text"), "{reply}");
    }
}
