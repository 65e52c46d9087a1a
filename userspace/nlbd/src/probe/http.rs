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

/// One request; `weight` says that the answer is looked at for a load weight.
pub(super) async fn run(probe: &HttpProbe, weight: bool) -> Answer {
    let stream = match TcpStream::connect(probe.address).await {
        Ok(stream) => stream,
        Err(error) => return refused(probe.address, &error),
    };
    if !probe.tls {
        return ask(probe, stream, weight).await;
    }
    match tls::connect(stream, &probe.host).await {
        Ok(stream) => ask(probe, stream, weight).await,
        Err(error) => Answer::bad(format!("TLS: {error}")),
    }
}

/// One request over a connection.
async fn ask(
    probe: &HttpProbe,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    weight: bool,
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
            Ok(response) => judge(probe, response, weight).await,
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

/// What an answer says about the service. Its body is read only if something is looked for in it.
async fn judge(probe: &HttpProbe, response: Response<Incoming>, weight: bool) -> Answer {
    let status = response.status();
    if !probe.status.contains(&status.as_u16()) {
        return Answer::bad(format!("answered {status}"));
    }
    if probe.body.is_none() && !weight {
        return Answer::good(format!("answered {status}"));
    }
    let read = match read(response.into_body()).await {
        Ok(read) => read,
        Err(error) => return Answer::bad(format!("answered {status}, then {error}")),
    };
    let answer = match &probe.body {
        None => Answer::good(format!("answered {status}")),
        Some(wanted) if has(&read, wanted.as_bytes()) => {
            Answer::good(format!("answered {status} with {wanted:?}"))
        }
        Some(wanted) => return Answer::bad(format!("answered {status} without {wanted:?}")),
    };
    if weight {
        answer.with_weight(&String::from_utf8_lossy(&read))
    } else {
        answer
    }
}

/// The beginning of a body.
async fn read(mut body: Incoming) -> hyper::Result<Vec<u8>> {
    let mut read = Vec::new();
    while read.len() < BODY_MAX {
        match body.frame().await {
            None => break,
            Some(frame) => read.extend(frame?.into_data().unwrap_or_default()),
        }
    }
    read.truncate(BODY_MAX);
    Ok(read)
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
        (run(&probe, true).await, service.join().unwrap())
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
    async fn a_service_may_say_its_weight() {
        let (answer, _) = asked(b"HTTP/1.0 200 OK\r\n\r\nready, weight=40\n", Some("ready")).await;
        assert_eq!(answer.weight, Some(40));
        let (answer, _) = asked(b"HTTP/1.0 500 No\r\n\r\nweight=40\n", None).await;
        assert_eq!(answer.weight, None);
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

    /// A certificate that nobody signed, for another name than the one that is asked for.
    #[tokio::test]
    async fn a_certificate_is_a_matter_between_service_and_clients() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        use tokio_rustls::{
            TlsAcceptor,
            rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
        };

        let own = rcgen::generate_simple_self_signed(["elsewhere.example".into()]).unwrap();
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = TlsAcceptor::from(std::sync::Arc::new(config));
            let mut stream = acceptor.accept(stream).await.unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /health HTTP/1.1\r\n"));
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nready";
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        let probe = HttpProbe {
            address,
            tls: true,
            path: "/health".into(),
            host: "www.example.org".into(),
            status: 200..=200,
            body: Some("ready".into()),
        };
        let answer = run(&probe, false).await;
        assert_eq!(answer, Answer::good("answered 200 OK with \"ready\""));
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
        let answer = run(&probe, true).await;
        service.join().unwrap();
        assert_eq!(answer.verdict, Verdict::Bad);
        assert!(answer.text.starts_with("TLS: "), "{answer:?}");
    }
}
