// SPDX-License-Identifier: GPL-2.0-only

//! Whether a connection is accepted.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::refused;
use crate::health::Answer;

pub(super) async fn run(address: SocketAddr) -> Answer {
    match TcpStream::connect(address).await {
        Ok(_) => Answer::good("connected"),
        Err(error) => refused(address, &error),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::health::Verdict;

    #[tokio::test]
    async fn a_port_is_open_or_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(run(address).await.verdict, Verdict::Good);
        drop(listener);
        let closed = run(address).await;
        assert_eq!(closed.verdict, Verdict::Bad);
        assert!(closed.text.contains("refused"), "{closed:?}");
    }
}
