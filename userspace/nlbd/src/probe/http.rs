// SPDX-License-Identifier: GPL-2.0-only

//! Whether a request is answered as it should be.

use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{CONNECTION, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use nlbadm::HttpProbe;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::{refused, tls};
use crate::health::Answer;

/// How much of an answer is looked at, in bytes.
const BODY_MAX: usize = 64 * 1024;

pub(super) async fn run(probe: &HttpProbe) -> Answer {
    let stream = match TcpStream::connect(probe.address).await {
        Ok(stream) => stream,
        Err(error) => return refused(probe.address, &error),
    };
    if !probe.tls {
        return ask(probe, stream).await;
    }
    match tls::connect(stream, &probe.host).await {
        Ok(stream) => ask(probe, stream).await,
        Err(error) => Answer::bad(format!("TLS: {error}")),
    }
}

/// One request over a connection.
async fn ask(
    probe: &HttpProbe,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Answer {
    let request = Request::get(&probe.path)
        .header(HOST, &probe.host)
        .header(USER_AGENT, concat!("nlbd/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new());
    let request = match request {
        Ok(request) => request,
        Err(error) => return Answer::unknown(format!("the request: {error}")),
    };
    let (mut sender, connection) = match http1::handshake(TokioIo::new(stream)).await {
        Ok(pair) => pair,
        Err(error) => return Answer::bad(format!("HTTP: {error}")),
    };
    // The connection is driven beside what is asked over it, and ends with it.
    let asked = async {
        match sender.send_request(request).await {
            Ok(response) => judge(probe, response).await,
            Err(error) => Answer::bad(format!("HTTP: {error}")),
        }
    };
    tokio::pin!(connection, asked);
    tokio::select! {
        biased;
        answer = &mut asked => answer,
        // It has ended: what was read of the answer is all there is.
        _ = &mut connection => asked.await,
    }
}

/// What an answer says about the service.
async fn judge(probe: &HttpProbe, response: Response<Incoming>) -> Answer {
    let status = response.status();
    if !probe.status.contains(&status.as_u16()) {
        return Answer::bad(format!("answered {status}"));
    }
    let Some(wanted) = &probe.body else {
        return Answer::good(format!("answered {status}"));
    };
    let mut body = response.into_body();
    let mut read = Vec::new();
    while read.len() < BODY_MAX {
        let frame = match body.frame().await {
            None => break,
            Some(Err(error)) => return Answer::bad(format!("answered {status}, then {error}")),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        // It may have begun in an earlier piece.
        let looked_at = read.len().saturating_sub(wanted.len());
        read.extend(frame);
        read.truncate(BODY_MAX);
        if has(read.get(looked_at..).unwrap_or_default(), wanted.as_bytes()) {
            return Answer::good(format!("answered {status} with {wanted:?}"));
        }
    }
    Answer::bad(format!("answered {status} without {wanted:?}"))
}

/// Whether bytes stand in others.
fn has(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::health::Verdict;

    /// Asks a service that answers so, for a status of 200 and a body.
    async fn asked(answer: &[u8], body: Option<&str>) -> (Answer, String) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = answer.to_vec();
        let service = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            // Who has read enough may have gone.
            drop(stream.write_all(&answer));
            String::from_utf8(request).unwrap()
        });
        let probe = HttpProbe {
            address,
            tls: false,
            path: "/health?a=b".into(),
            host: "www.example.org".into(),
            status: 200..=200,
            body: body.map(str::to_owned),
        };
        (run(&probe).await, service.join().unwrap())
    }

    #[tokio::test]
    async fn the_request_is_that_of_a_client() {
        let (answer, request) = asked(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", None).await;
        assert_eq!(answer, Answer::good("answered 200 OK"));
        assert!(
            request.starts_with("GET /health?a=b HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(request.contains("host: www.example.org\r\n"), "{request}");
    }

    #[tokio::test]
    async fn answers_are_told_apart() {
        let long = format!("HTTP/1.0 200 OK\r\n\r\n{}ready", "x".repeat(BODY_MAX));
        for (answer, body, verdict, text) in [
            (
                "HTTP/1.1 500 Oops\r\n\r\n",
                None,
                Verdict::Bad,
                "answered 500",
            ),
            (
                "HTTP/1.0 200 OK\r\n\r\nI am ready.",
                Some("ready"),
                Verdict::Good,
                "with \"ready\"",
            ),
            (
                "HTTP/1.0 200 OK\r\n\r\nI am not.",
                Some("ready"),
                Verdict::Bad,
                "without \"ready\"",
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nrea\r\n2\r\ndy\r\n0\r\n\r\n",
                Some("ready"),
                Verdict::Good,
                "with",
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nrea",
                Some("ready"),
                Verdict::Bad,
                "then",
            ),
            (&long, Some("ready"), Verdict::Bad, "without"),
            ("SSH-2.0-OpenSSH\r\n", None, Verdict::Bad, "HTTP:"),
            ("", None, Verdict::Bad, "HTTP:"),
        ] {
            let (found, _) = asked(answer.as_bytes(), body).await;
            assert_eq!(found.verdict, verdict, "{found:?}");
            assert!(found.text.contains(text), "{found:?}");
        }
    }

    /// A service without TLS is not well by https.
    #[tokio::test]
    async fn what_is_no_tls_is_bad() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let service = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            drop(stream.read(&mut [0; 16]));
            drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        });
        let probe = HttpProbe {
            address,
            tls: true,
            path: "/".into(),
            host: "www.example.org".into(),
            status: 200..=200,
            body: None,
        };
        let answer = run(&probe).await;
        service.join().unwrap();
        assert_eq!(answer.verdict, Verdict::Bad);
        assert!(answer.text.starts_with("TLS: "), "{answer:?}");
    }
}
