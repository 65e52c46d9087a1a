// SPDX-License-Identifier: GPL-2.0-only

//! Programs that get packets before nlb does: XDP, and filters of tc at the ingress, of the cluster interface and of what is
//! beneath it. What they let pass is not known here, so each is a warning. Programs of tcx are told of by neither rtnetlink
//! nor a file, but by the tool `bpftool`.

use std::io;

use nlb_netlink::device::Filter;
use serde::Deserialize;

use super::{Finding, Subject};
use crate::host::Host;

const NAME: &str = "programs";

/// What all of them have to let pass.
const PASS: &str = "the VIPs, ARP, neighbour discovery and EtherType 0x88b5";

pub(super) fn check(subject: &Subject, host: &mut dyn Host) -> Vec<Finding> {
    let mut findings = Vec::new();
    for link in subject.beneath() {
        let name = &link.name;
        for id in &link.xdp {
            let text = format!(
                "XDP program {id} on {name} gets packets before nlb: what it drops or redirects is not served"
            );
            let remedy = format!(
                "let it pass {PASS}, or `ip link set dev {name} xdp off` (`xdpgeneric off`)"
            );
            findings.push(subject.warning(NAME, text).remedy(remedy));
        }
        match host.filters(link.index) {
            Err(error) => {
                findings.extend(subject.not_checked(NAME, format!("tc filters of {name}: {error}")))
            }
            Ok(filters) if filters.is_empty() => {}
            Ok(filters) => {
                let text = format!(
                    "tc filters at the ingress of {name} ({}) get packets before nlb: what they drop or redirect is \
                     not served",
                    names(&filters)
                );
                let remedy = format!(
                    "let them pass {PASS}; `tc filter show dev {name} ingress` shows them, `tc filter del dev {name} \
                     ingress` deletes them"
                );
                findings.push(subject.warning(NAME, text).remedy(remedy));
            }
        }
    }
    if findings.is_empty() {
        findings = subject.ok(NAME, "no XDP program and no tc filter at the ingress");
    }
    findings
}

fn names(filters: &[Filter]) -> String {
    let names: Vec<String> = filters
        .iter()
        .map(|filter| match &filter.program {
            Some(program) => format!("{} {program}", filter.kind),
            None => filter.kind.clone(),
        })
        .collect();
    names.join(", ")
}

/// What `bpftool -j net show` prints: a list of one object.
#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    tc: Vec<Attached>,
}

#[derive(Deserialize)]
struct Attached {
    #[serde(default)]
    ifindex: u32,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
}

/// Programs of tcx, as bpftool tells.
pub(super) fn tcx(subject: &Subject, host: &mut dyn Host) -> Vec<Finding> {
    const NAME: &str = "tcx";
    let text = match host.run("bpftool", &["-j", "net", "show"]) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return subject.not_checked(NAME, "bpftool is not installed");
        }
        Err(error) => return subject.not_checked(NAME, format!("bpftool: {error}")),
    };
    let shown: Vec<Shown> = match serde_json::from_str(&text) {
        Ok(shown) => shown,
        Err(error) => return subject.not_checked(NAME, format!("the output of bpftool: {error}")),
    };
    let links = subject.beneath();
    let mut findings = Vec::new();
    for program in shown.iter().flat_map(|shown| &shown.tc) {
        let device = links.iter().find(|link| link.index == program.ifindex);
        if let (Some(device), "tcx/ingress") = (device, program.kind.as_str()) {
            let text = format!(
                "tcx program {} on {} gets packets before nlb: what it drops or redirects is not served",
                program.name, device.name
            );
            let remedy = format!("let it pass {PASS}; `bpftool net show` shows it");
            findings.push(subject.warning(NAME, text).remedy(remedy));
        }
    }
    if findings.is_empty() {
        findings = subject.ok(NAME, "no tcx program at the ingress");
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fake::{Fake, subject},
        obstacle::Verdict,
    };

    #[test]
    fn programs_of_the_interface_are_named() {
        let mut subject = subject();
        subject.links[1].xdp = vec![12];
        subject.links[2].xdp = vec![13];
        let mut host = Fake::host();
        host.filters = vec![
            filter(1, "bpf", Some("cil_from_netdev")),
            filter(2, "matchall", None),
        ];
        let findings = check(&subject, &mut host);
        assert!(
            findings
                .iter()
                .all(|finding| finding.verdict == Verdict::Warning)
        );
        assert!(findings[0].text.contains("XDP program 12 on eth0"));
        assert!(findings[1].text.contains("(bpf cil_from_netdev, matchall)"));
        // What is on another interface is no obstacle.
        assert_eq!(findings.len(), 2);
    }

    fn filter(priority: u16, kind: &str, program: Option<&str>) -> Filter {
        Filter {
            priority,
            kind: kind.into(),
            program: program.map(str::to_owned),
        }
    }

    #[test]
    fn an_interface_without_programs_is_fine() {
        let findings = check(&subject(), &mut Fake::host());
        assert_eq!(findings[0].verdict, Verdict::Ok);
    }

    #[test]
    fn bpftool_tells_of_tcx() {
        let mut host = Fake::host();
        let findings = tcx(&subject(), &mut host);
        assert_eq!(findings[0].verdict, Verdict::NotChecked);
        let shown = |kind: &str, index: u32| {
            format!(
                r#"[{{"xdp":[],"tc":[{{"devname":"eth0","ifindex":{index},"kind":"{kind}","name":"mine","prog_id":9}}],"flow_dissector":[]}}]"#
            )
        };
        for (kind, index, verdict) in [
            ("tcx/ingress", 2, Verdict::Warning),
            ("tcx/egress", 2, Verdict::Ok),
            ("tcx/ingress", 3, Verdict::Ok),
        ] {
            host.output = vec![("bpftool", shown(kind, index))];
            let findings = tcx(&subject(), &mut host);
            assert_eq!(findings[0].verdict, verdict, "{kind} {index}");
        }
        host.output = vec![("bpftool", "Error".into())];
        assert_eq!(tcx(&subject(), &mut host)[0].verdict, Verdict::NotChecked);
    }
}
