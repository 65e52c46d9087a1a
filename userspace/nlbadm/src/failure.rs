// SPDX-License-Identifier: GPL-2.0-only

//! Failures: what to tell the user, and the exit code.

use std::{fmt, io};

use nlb_netlink::Error;

use crate::absent;

/// Exit codes; `cli::EXIT_CODES` tells them to the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nobody reads the output any more.
    ReaderGone = 0,
    /// The kernel refused, or something failed.
    Failed = 1,
    /// An argument or a key file is not right.
    Usage = 2,
    /// The module is not loaded, of another version, or this kernel cannot have it.
    NoModule = 3,
    /// Not permitted.
    NotPermitted = 4,
    /// No such interface.
    NoInterface = 5,
    /// No such cluster.
    NoCluster = 6,
    /// Exists already, or busy.
    Exists = 7,
    /// Checks have found a problem, or not all of a text was understood.
    Unwell = 8,
    /// The host would have to leave and join again.
    NeedsRestart = 9,
    /// Somebody else's change of the file came first.
    CameFirst = 10,
}

/// A failure: what to tell the user, and how the program ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Failure {
            exit,
            message: message.into(),
        }
    }

    /// Wrong usage.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure::new(Exit::Usage, message)
    }

    /// There is no such interface.
    pub(crate) fn no_interface(name: &str) -> Self {
        Failure::new(
            Exit::NoInterface,
            format!("there is no interface {name} here; `ip link` lists those there are"),
        )
    }

    /// The interface has no cluster.
    pub(crate) fn no_cluster(name: &str) -> Self {
        Failure::new(
            Exit::NoCluster,
            format!("{name} has no cluster; `nlbadm show` lists the clusters of this host"),
        )
    }

    /// The exit code of nlbadm.
    #[must_use]
    pub fn exit(&self) -> u8 {
        self.exit as u8
    }

    /// Says what could not be done.
    pub(crate) fn context(self, what: impl fmt::Display) -> Self {
        Failure {
            message: format!("{what}: {}", self.message),
            ..self
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let exit = match error.kind() {
            io::ErrorKind::BrokenPipe => Exit::ReaderGone,
            _ => Exit::Failed,
        };
        Failure::new(exit, error.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        const EPERM: i32 = 1;
        const ENOENT: i32 = 2;
        const EACCES: i32 = 13;
        const EBUSY: i32 = 16;
        const EEXIST: i32 = 17;
        const ENODEV: i32 = 19;
        let exit = match &error {
            Error::NoFamily(_) => return Failure::new(Exit::NoModule, absent::reason()),
            Error::OtherVersion { .. } => {
                let remedy = "install module and tool of one release; `systemctl start nlb-upgrade` drains this host \
                              and replaces the module in the kernel";
                return Failure::new(Exit::NoModule, format!("{error}: {remedy}"));
            }
            Error::Refused(refusal) => match refusal.errno {
                EPERM | EACCES => Exit::NotPermitted,
                ENODEV => Exit::NoInterface,
                ENOENT => Exit::NoCluster,
                EBUSY | EEXIST => Exit::Exists,
                _ => Exit::Failed,
            },
            // Joining a group is refused by the socket, not by a message.
            Error::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Exit::NotPermitted
            }
            _ => Exit::Failed,
        };
        // Where the module says why, the caller has the capability.
        let explained = matches!(&error, Error::Refused(refusal) if refusal.text.is_some());
        let message = match exit {
            Exit::NotPermitted if !explained => {
                format!(
                    "{error}: this needs CAP_NET_ADMIN in this network namespace; run it as root"
                )
            }
            _ => error.to_string(),
        };
        Failure::new(exit, message)
    }
}

#[cfg(test)]
mod tests {
    use nlb_netlink::Refusal;

    use super::*;

    fn refused(errno: i32) -> Exit {
        let refusal = Refusal {
            errno,
            text: Some("text of the kernel".into()),
            attribute: None,
            missing: None,
        };
        let failure = Failure::from(Error::Refused(refusal));
        assert!(failure.message.contains("text of the kernel"));
        failure.exit
    }

    #[test]
    fn error_numbers_of_the_module_have_exit_codes() {
        assert_eq!(refused(1), Exit::NotPermitted);
        assert_eq!(refused(19), Exit::NoInterface);
        assert_eq!(refused(2), Exit::NoCluster);
        assert_eq!(refused(16), Exit::Exists);
        assert_eq!(refused(17), Exit::Exists);
        assert_eq!(refused(22), Exit::Failed);
        assert_eq!(refused(95), Exit::Failed);
    }

    #[test]
    fn the_capability_is_named_unless_the_module_says_why() {
        let message = |text: Option<&str>| {
            Failure::from(Error::Refused(Refusal {
                errno: 1,
                text: text.map(str::to_owned),
                attribute: None,
                missing: None,
            }))
            .message
        };
        assert!(message(None).contains("CAP_NET_ADMIN"));
        assert_eq!(message(Some("a parameter")), "a parameter");
    }

    #[test]
    fn a_group_that_may_not_be_joined_is_a_matter_of_permission() {
        let error = Error::Io(io::Error::from_raw_os_error(1));
        assert_eq!(Failure::from(error).exit, Exit::NotPermitted);
    }
}
