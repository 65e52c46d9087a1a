// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm check`: whether a file is right. It needs neither the kernel nor permissions.

use crate::{
    cli::Check,
    config::{Config, Machine},
    failure::Failure,
    host::Host,
    keyfile,
    output::config::CheckedConfig,
    warn,
};

/// Checks a file, and its key as far as the user may see it.
pub(crate) fn run(host: &mut dyn Host, args: &Check) -> Result<CheckedConfig, Failure> {
    let config = Config::read(&args.file)?;
    for key in [config.key(), config.control_key()].into_iter().flatten() {
        match keyfile::open_to_others(key) {
            Ok(false) => {}
            Ok(true) => return Err(keyfile::refuse_open(key)),
            // It is made on one host and checked on another, and only root may look into its folder.
            Err(error) => warn(Some(format!(
                "the key file {} was not looked at: {error}",
                key.display()
            ))),
        }
    }
    let machine = Machine::read(host);
    let section = match config.section(&machine, args.host.as_deref()) {
        Ok(section) => Some(section),
        // It may be checked where it was written, which is none of the hosts.
        Err(failure) if args.host.is_none() => {
            warn(Some(failure.message));
            None
        }
        Err(failure) => return Err(failure),
    };
    Ok(CheckedConfig::new(&config, section))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;
    use crate::{failure::Exit, fake::Fake, output::Report};

    #[test]
    fn a_file_is_checked_without_the_module() {
        let folder = tempfile::tempdir().unwrap();
        let (file, key) = (
            folder.path().join("web.toml"),
            folder.path().join("web.key"),
        );
        let text = "[cluster]\nvips = [\"192.0.2.10\"]\nkey-file = \"web.key\"\n[host.web1]\nid = 1\ninterface = \"eth0\"\n";
        fs::write(&file, text).unwrap();
        let mut host = Fake::host();
        host.no_module = true;
        let mut check = |named: Option<&str>| {
            let args = Check {
                file: file.clone(),
                host: named.map(str::to_owned),
            };
            run(&mut host, &args).map(|checked| checked.human())
        };
        let right = "nothing wrong with it: cluster web, 1 VIP, 1 rule, 1 host\n";
        assert_eq!(check(None).unwrap(), right);
        assert_eq!(
            check(Some("web1")).unwrap(),
            format!("{right}this host is web1\n")
        );
        assert_eq!(check(Some("web2")).unwrap_err().exit, Exit::Usage);
        fs::write(&key, "anything").unwrap();
        fs::set_permissions(&key, PermissionsExt::from_mode(0o640)).unwrap();
        let failure = check(None).unwrap_err();
        assert!(
            failure.message.contains("can be read by others"),
            "{failure}"
        );
        fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(check(None).unwrap(), right);
    }
}
