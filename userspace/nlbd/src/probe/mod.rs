// SPDX-License-Identifier: GPL-2.0-only

//! Checks as they are made: each asks a service of this host, and ends within its time.

mod command;
mod http;
mod tcp;
mod tls;

use std::{io, net::SocketAddr};

use nlbadm::{Action, HealthCheck, Probe};
use tokio::time::timeout;

use crate::health::Answer;

/// Longest text of an answer, in characters.
const TEXT_MAX: usize = 200;

/// Makes a check once.
pub(crate) async fn run(check: &HealthCheck) -> Answer {
    let asked = async {
        match &check.probe {
            Probe::Tcp(address) => tcp::run(*address).await,
            Probe::Http(http) => http::run(http, check.action == Action::Weight).await,
            Probe::Command { program, arguments } => command::run(program, arguments).await,
            Probe::Systemd(unit) => command::unit(unit).await,
        }
    };
    let mut answer = timeout(check.timeout, asked).await.unwrap_or_else(|_| {
        Answer::bad(format!("no answer within {} ms", check.timeout.as_millis()))
    });
    answer.text = one_line(&answer.text);
    answer
}

/// What a check asks, and where, for people.
pub(crate) fn describe(probe: &Probe) -> String {
    match probe {
        Probe::Tcp(address) => format!("tcp {address}"),
        Probe::Http(http) => {
            let scheme = if http.tls { "https" } else { "http" };
            format!("{scheme}://{}{}", http.address, http.path)
        }
        Probe::Command { program, arguments } => {
            let program = program.display().to_string();
            let words: Vec<_> = [program]
                .into_iter()
                .chain(arguments.iter().cloned())
                .collect();
            one_line(&words.join(" "))
        }
        Probe::Systemd(unit) => format!("unit {unit}"),
    }
}

/// A text in one line of bounded length, without what would steer a terminal.
fn one_line(text: &str) -> String {
    let shown = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c });
    shown.take(TEXT_MAX).collect()
}

/// What it says of a service that it cannot be connected to.
fn refused(address: SocketAddr, error: &io::Error) -> Answer {
    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const EADDRNOTAVAIL: i32 = 99;
    const ENOBUFS: i32 = 105;
    let text = format!("{address}: {error}");
    match error.raw_os_error() {
        // This host has run out of something: the service may be well.
        Some(ENOMEM | ENFILE | EMFILE | EADDRNOTAVAIL | ENOBUFS) => Answer::unknown(text),
        _ => Answer::bad(text),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::health::Verdict;

    /// A check of a service that accepts connections and says nothing.
    #[tokio::test]
    async fn a_service_that_hangs_costs_the_timeout() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let check = HealthCheck {
            probe: Probe::Http(nlbadm::HttpProbe {
                address,
                tls: false,
                path: "/".into(),
                host: "x".into(),
                status: 200..=200,
                body: None,
            }),
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(100),
            rise: 1,
            fall: 1,
            action: Action::GiveUp,
            last: false,
        };
        assert_eq!(run(&check).await, Answer::bad("no answer within 100 ms"));
    }

    #[test]
    fn texts_are_one_line_of_bounded_length() {
        assert_eq!(one_line(" a\nb\u{1b}[2J \n"), "a b [2J");
        assert_eq!(one_line(&"ä".repeat(1000)).chars().count(), TEXT_MAX);
    }

    #[test]
    fn a_host_that_has_run_out_of_something_tells_nothing_of_the_service() {
        let address = "127.0.0.1:80".parse().unwrap();
        let verdict = |errno| refused(address, &io::Error::from_raw_os_error(errno)).verdict;
        assert_eq!(verdict(111), Verdict::Bad);
        assert_eq!(verdict(24), Verdict::Unknown);
        assert_eq!(verdict(99), Verdict::Unknown);
    }
}
