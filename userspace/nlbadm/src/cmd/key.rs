// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm key`: the three steps of a rotation that breaks nothing.

use nlb_netlink::object::Cluster;

use crate::{
    cli::{KeyVerb, Target},
    failure::{Exit, Failure},
    kernel::Kernel,
    keyfile::KeyFile,
    output::keys::KeysShape,
    warn,
};

/// Lists, adds, uses or deletes keys; the list, if it was asked for.
pub(crate) fn run(kernel: &mut impl Kernel, verb: &KeyVerb) -> Result<Option<KeysShape>, Failure> {
    match verb {
        KeyVerb::Add {
            id,
            key_file,
            target,
        } => {
            let (file, warning) = KeyFile::read(key_file)?;
            let cluster = keyed(kernel, target)?;
            if kernel
                .keys(cluster.ifindex)?
                .iter()
                .any(|key| key.id == *id)
            {
                return Err(Failure::new(
                    Exit::Exists,
                    format!(
                        "the cluster has a key with id {id} already: give the new key another id"
                    ),
                ));
            }
            warn(warning);
            kernel.add_key(cluster.ifindex, *id, file.key)?;
        }
        KeyVerb::Use { id, target } => {
            let cluster = having(kernel, target, *id)?;
            kernel.use_key(cluster.ifindex, *id)?;
        }
        KeyVerb::Del { id, target } => {
            let cluster = having(kernel, target, *id)?;
            if cluster.key_id == Some(*id) {
                return Err(Failure::new(
                    Exit::Exists,
                    format!("key {id} is used for sending; `nlbadm key use` another key first"),
                ));
            }
            kernel.delete_key(cluster.ifindex, *id)?;
        }
        KeyVerb::List(target) => {
            let cluster = super::cluster(kernel, target)?;
            let keys = kernel.keys(cluster.ifindex)?;
            return Ok(Some(KeysShape {
                interface: cluster.ifname,
                keys: keys.into_iter().map(Into::into).collect(),
            }));
        }
    }
    Ok(None)
}

/// The cluster that is meant, which must have a key.
fn keyed(kernel: &mut impl Kernel, target: &Target) -> Result<Cluster, Failure> {
    let cluster = super::cluster(kernel, target)?;
    if cluster.key_id.is_some() {
        Ok(cluster)
    } else {
        Err(Failure::new(
            Exit::Failed,
            format!(
                "the cluster {} was made without a key; take it down and up again with --key-file on every host",
                cluster.name
            ),
        ))
    }
}

/// The cluster that is meant, which must know the key.
fn having(kernel: &mut impl Kernel, target: &Target, id: u8) -> Result<Cluster, Failure> {
    let cluster = keyed(kernel, target)?;
    if kernel.keys(cluster.ifindex)?.iter().any(|key| key.id == id) {
        Ok(cluster)
    } else {
        Err(Failure::usage(format!(
            "the cluster has no key with id {id}; `nlbadm key list` lists those it has"
        )))
    }
}

#[cfg(test)]
mod tests {
    use nlb_netlink::object::Key;

    use super::*;
    use crate::fake::Fake;

    fn rotating() -> Fake {
        Fake {
            keys: vec![Key { id: 1, send: true }, Key { id: 2, send: false }],
            ..Fake::in_cluster()
        }
    }

    fn exit(kernel: &mut Fake, verb: &KeyVerb) -> Exit {
        let exit = run(kernel, verb).unwrap_err().exit;
        assert_eq!(kernel.changes, [""; 0]);
        exit
    }

    #[test]
    fn the_three_steps_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let key_file = directory.path().join("key");
        let text = crate::output::Report::human(&crate::cmd::genkey::run().unwrap());
        std::fs::write(&key_file, text).unwrap();
        let add = |id| KeyVerb::Add {
            id,
            key_file: key_file.clone(),
            target: Target::default(),
        };
        let mut kernel = rotating();
        assert_eq!(exit(&mut kernel, &add(2)), Exit::Exists);
        run(&mut kernel, &add(3)).unwrap();
        run(
            &mut kernel,
            &KeyVerb::Use {
                id: 2,
                target: Target::default(),
            },
        )
        .unwrap();
        kernel.clusters[0].key_id = Some(2);
        run(
            &mut kernel,
            &KeyVerb::Del {
                id: 1,
                target: Target::default(),
            },
        )
        .unwrap();
        assert_eq!(
            kernel.changes,
            ["add key 3 on 2", "use key 2 on 2", "delete key 1 on 2"]
        );
    }

    #[test]
    fn the_key_in_use_is_not_deleted() {
        let del = KeyVerb::Del {
            id: 1,
            target: Target::default(),
        };
        assert_eq!(exit(&mut rotating(), &del), Exit::Exists);
    }

    #[test]
    fn unknown_keys_are_named() {
        let verb = KeyVerb::Use {
            id: 9,
            target: Target::default(),
        };
        assert_eq!(exit(&mut rotating(), &verb), Exit::Usage);
    }

    #[test]
    fn a_cluster_without_a_key_gets_none() {
        let mut kernel = rotating();
        kernel.clusters[0].key_id = None;
        let verb = KeyVerb::Use {
            id: 2,
            target: Target::default(),
        };
        assert_eq!(exit(&mut kernel, &verb), Exit::Failed);
    }
}
