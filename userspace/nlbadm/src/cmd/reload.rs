// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm reload`: `apply` of the file that a cluster has in /etc/nlb.

use std::path::Path;

use crate::{
    cli::{Apply, Target},
    config,
    failure::Failure,
    host::Host,
    kernel::Kernel,
};

/// Makes the host what its file says, as far as that needs no restart.
pub(crate) fn run<K: Kernel + Host>(
    kernel: &mut K,
    json: bool,
    target: &Target,
) -> Result<(), Failure> {
    let cluster = super::cluster(kernel, target)?;
    super::apply::run(kernel, json, &apply_of(&cluster.name))
}

fn apply_of(name: &str) -> Apply {
    Apply::of(Path::new(config::DIRECTORY).join(format!("{name}.toml")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{failure::Exit, fake::Fake};

    #[test]
    fn the_file_has_the_name_of_the_cluster() {
        assert_eq!(apply_of("web").file, Path::new("/etc/nlb/web.toml"));
        let failure = run(&mut Fake::host(), false, &Target::default()).unwrap_err();
        assert_eq!(failure.exit, Exit::NoCluster);
    }
}
