// SPDX-License-Identifier: GPL-2.0-only

//! What `nlbd` does with a file that all hosts have the same of: it looks whether this host could be what a text says, and
//! makes it what its file says.

use std::path::Path;

use nlb_netlink::object::Cluster;

use super::{Action, Goal, action, find, make, read_key, restart};
use crate::{
    cli::Apply,
    cmd::{is_idle, vips},
    config::{Config, Difference, Machine, Section},
    failure::{Exit, Failure},
    host::Host,
    kernel::{Kernel, Linux},
    module::MODULE,
};

/// What became of this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Whether it is in the cluster at all. One that is not stays so.
    pub in_cluster: bool,
    /// The hosts that rules or settings wait for.
    pub waits_for: Vec<u8>,
}

/// Whether a text can be the file of this host: it is right, of the same cluster, and has a section for it.
///
/// # Errors
///
/// If not, with the reason.
pub fn fits(path: &Path, cluster: &str, text: &str, host: Option<&str>) -> Result<(), Failure> {
    let config = Config::parse(path, text.into())?;
    section(&config, cluster, &Machine::this(), host).map(drop)
}

fn section<'a>(
    config: &'a Config,
    cluster: &str,
    machine: &Machine,
    host: Option<&str>,
) -> Result<&'a Section, Failure> {
    if config.name() != cluster {
        return Err(Failure::usage(format!(
            "it is the file of another cluster, {}",
            config.name()
        )));
    }
    config.section(machine, host)
}

/// Whether this host could be made what a text says, without leaving its cluster if it serves. Nothing changes.
///
/// # Errors
///
/// If not, with the reason.
pub fn could(path: &Path, cluster: &str, text: &str, host: Option<&str>) -> Result<(), Failure> {
    could_be(
        &mut Linux::default(),
        Path::new(MODULE).exists(),
        path,
        cluster,
        text,
        host,
    )
}

fn could_be<K: Kernel + Host>(
    kernel: &mut K,
    has_module: bool,
    path: &Path,
    cluster: &str,
    text: &str,
    host: Option<&str>,
) -> Result<(), Failure> {
    let config = Config::parse(path, text.into())?;
    let machine = Machine::read(kernel);
    let settings = config.settings(section(&config, cluster, &machine, host)?);
    let key = read_key(&config, &settings)?;
    if kernel.interface(&settings.interface)?.is_none() {
        return Err(Failure::no_interface(&settings.interface));
    }
    let running = if has_module {
        find(kernel, &settings)?
    } else {
        None
    };
    let Some(running) = running else {
        return Ok(());
    };
    let difference = Difference::new(Some(&running.settings), &settings);
    match action(Some(&running), &difference) {
        Action::Restart if is_idle(&running.cluster) => {
            let goal = Goal {
                state: restart::state_after(&running.cluster),
                key,
                settings,
            };
            super::prepare(kernel, &goal, Some(running.cluster.ifindex)).map(drop)
        }
        Action::Restart => {
            let names: Vec<_> = difference.fixed().map(|change| change.key).collect();
            Err(Failure::new(
                Exit::NeedsRestart,
                format!(
                    "{} cannot change while this host serves: `nlbadm stop` it first, and start it afterwards",
                    names.join(", ")
                ),
            ))
        }
        _ => vips::check_new(kernel, &running.cluster, &settings.vips),
    }
}

/// Makes this host what its file says, if it is in the cluster. If it takes no part, it may leave and join again for that.
///
/// # Errors
///
/// As `nlbadm apply`.
pub fn follow(path: &Path, cluster: &str, host: Option<&str>) -> Result<Followed, Failure> {
    if !Path::new(MODULE).exists() {
        return Ok(Followed::default());
    }
    follow_by(&mut Linux::default(), path, cluster, host)
}

fn follow_by<K: Kernel + Host>(
    kernel: &mut K,
    path: &Path,
    cluster: &str,
    host: Option<&str>,
) -> Result<Followed, Failure> {
    let clusters = kernel.clusters()?;
    let ours = |it: &&Cluster| it.name == cluster;
    let Some(running) = clusters.iter().find(ours) else {
        return Ok(Followed::default());
    };
    let args = Apply {
        host: host.map(str::to_owned),
        restart: is_idle(running),
        ..Apply::of(path.into())
    };
    let (report, result) = make(kernel, &args, |_| Ok(()))?;
    result?;
    Ok(Followed {
        in_cluster: true,
        waits_for: report.waits_for.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    const PATH: &str = "/etc/nlb/web.toml";

    #[test]
    fn a_host_without_the_cluster_stays_without() {
        let followed = follow_by(&mut Fake::host(), Path::new(PATH), "web", None).unwrap();
        assert_eq!(followed, Followed::default());
    }

    #[test]
    fn what_is_no_file_of_this_host_does_not_fit() {
        let fits = |text: &str, host| {
            let fits = fits(Path::new(PATH), "web", text, Some(host));
            fits.map_err(|failure| failure.message)
        };
        let text = "[cluster]\nvips = [\"192.0.2.10\"]\ninterface = \"eth1\"\n[host.a]\nid = 1\n";
        assert_eq!(fits(text, "a"), Ok(()));
        assert!(fits(text, "b").unwrap_err().contains("no section"));
        let newer = text.replace("interface", "later-key");
        assert!(fits(&newer, "a").unwrap_err().contains("later-key"));
        let other = text.replace("vips", "name = \"other\"\nvips");
        assert!(
            fits(&other, "a")
                .unwrap_err()
                .contains("another cluster, other")
        );
    }

    #[test]
    fn a_host_without_the_interface_could_not() {
        let text = "[cluster]\nvips = [\"192.0.2.10\"]\ninterface = \"eth77\"\nno-key = true\n[host.a]\nid = 1\n";
        let path = Path::new(PATH);
        for has_module in [false, true] {
            let could = could_be(&mut Fake::host(), has_module, path, "web", text, Some("a"));
            assert_eq!(could.unwrap_err().exit, Exit::NoInterface);
        }
    }
}
