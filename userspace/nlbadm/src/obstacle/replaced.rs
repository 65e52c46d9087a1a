// SPDX-License-Identifier: GPL-2.0-only

//! A module in the kernel that is not the installed one: an upgrade of the packages has left it there.

use super::{Finding, Verdict};
use crate::{
    host::Host,
    module::{Standing, standing},
};

const NAME: &str = "module";

/// Whether the module in the kernel is the installed one; nothing if there is only one of them.
pub(crate) fn check(host: &mut dyn Host) -> Option<Finding> {
    match standing(host) {
        Ok(Standing::NotLoaded | Standing::NotInstalled) => None,
        Ok(Standing::Same) => Some(Finding::new(
            NAME,
            Verdict::Ok,
            "the module in the kernel is the installed one",
        )),
        Ok(Standing::Other(installed)) => {
            let text = format!("the module in the kernel is not the installed one, {installed}");
            let finding = Finding::new(NAME, Verdict::Warning, text);
            Some(finding.remedy(
                "`systemctl start nlb-upgrade` drains this host and replaces it, and so does a reboot",
            ))
        }
        Err(error) => Some(Finding::new(
            NAME,
            Verdict::NotChecked,
            format!("the installed module cannot be read: {error}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    #[test]
    fn another_module_than_the_installed_one_is_told_with_its_remedy() {
        let mut host = Fake::host();
        assert_eq!(check(&mut host), None);
        host.modules("7.3.4", "ELF id of N");
        assert_eq!(check(&mut host), None, "nothing is loaded");
        host.load_build("id of N");
        assert_eq!(check(&mut host).unwrap().verdict, Verdict::Ok);
        host.load_build("id of M");
        let finding = check(&mut host).unwrap();
        assert!(finding.is_bad(), "{finding:?}");
        assert!(
            finding.line().contains("systemctl start nlb-upgrade"),
            "{finding:?}"
        );
        host.unreadable
            .push("/lib/modules/7.3.4/updates/nlb.ko".into());
        assert_eq!(check(&mut host).unwrap().verdict, Verdict::NotChecked);
    }
}
