// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm checks`: how the health checks of this host stand.

use std::io::ErrorKind;

use crate::{
    cli::Checks,
    daemon::{self, Content, Wanted},
    failure::{Exit, Failure},
    output::checks::ChecksShape,
};

/// Asks nlbd for the checks of one cluster, or of all.
pub(crate) fn run(args: &Checks) -> Result<ChecksShape, Failure> {
    let socket = args.socket.display();
    let content = daemon::ask(&args.socket, Wanted::Checks).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => Failure::new(
            Exit::Failed,
            format!("nlbd does not run: nobody listens at {socket}; `systemctl start nlbd` starts it"),
        ),
        ErrorKind::PermissionDenied => Failure::new(
            Exit::NotPermitted,
            format!("{socket}: {error}: nlbd speaks with root alone"),
        ),
        _ => Failure::new(Exit::Failed, format!("{socket}: {error}")),
    })?;
    let mut checks = match content {
        Content::Checks(checks) => checks,
        Content::Error(text) => return Err(Failure::new(Exit::Failed, format!("nlbd: {text}"))),
        Content::Hosts(_) => {
            return Err(Failure::new(
                Exit::Failed,
                "nlbd has answered something else",
            ));
        }
    };
    if let Some(cluster) = &args.cluster {
        checks.retain(|check| check.cluster == *cluster);
        if checks.is_empty() {
            return Err(Failure::new(
                Exit::NoCluster,
                format!(
                    "there are no checks of a cluster {cluster}; `nlbadm checks` lists those there are"
                ),
            ));
        }
    }
    Ok(ChecksShape { checks })
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        os::unix::net::UnixListener,
        path::Path,
        thread,
    };

    use super::*;

    fn asked(socket: &Path, cluster: Option<&str>) -> Result<ChecksShape, Failure> {
        run(&Checks {
            cluster: cluster.map(str::to_owned),
            socket: socket.into(),
        })
    }

    /// What comes of a reply.
    fn replied(reply: &str, cluster: Option<&str>) -> Result<ChecksShape, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nlbd.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let reply = reply.to_owned();
        let daemon = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            stream.write_all(reply.as_bytes()).unwrap();
            line
        });
        let result = asked(&path, cluster);
        let request = daemon.join().unwrap();
        assert_eq!(request, "{\"version\":1,\"request\":\"checks\"}\n");
        result
    }

    #[test]
    fn a_reply_is_read_and_a_cluster_chosen() {
        let check = |cluster: &str| {
            format!(
                r#"{{"cluster":"{cluster}","rule":"80","check":"tcp 192.0.2.10:80","state":"well",
                "since":"2026-01-01T00:00:00.000Z","message":null,"checked":null,
                "answers":{{"good":1,"bad":2,"unknown":3}},"action":"drain","given_up":false,
                "note":null,"later":1}}"#
            )
            .replace('\n', "")
        };
        let reply = format!(
            r#"{{"version":1,"checks":[{},{}]}}"#,
            check("a"),
            check("b")
        );
        assert_eq!(replied(&reply, None).unwrap().checks.len(), 2);
        let of_b = replied(&reply, Some("b")).unwrap();
        assert_eq!(of_b.checks[0].cluster, "b");
        assert_eq!(
            replied(&reply, Some("c")).unwrap_err().exit,
            Exit::NoCluster
        );
    }

    #[test]
    fn what_is_no_reply_is_a_failure() {
        for reply in ["", "{}", "{\"version\":1}", "\0\n"] {
            assert_eq!(
                replied(reply, None).unwrap_err().exit,
                Exit::Failed,
                "{reply:?}"
            );
        }
        let refused =
            replied("{\"version\":2,\"error\":\"it is of version 1\"}", None).unwrap_err();
        assert_eq!(refused.message, "nlbd: it is of version 1");
    }

    #[test]
    fn a_daemon_that_does_not_run_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let failure = asked(&folder.path().join("nlbd.sock"), None).unwrap_err();
        assert!(
            failure.message.starts_with("nlbd does not run"),
            "{failure}"
        );
    }
}
