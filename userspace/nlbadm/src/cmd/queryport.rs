// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm queryport`: one rule on this host, as `nlb queryport` of Windows prints it.

use crate::{
    cli::OneRule,
    failure::Failure,
    kernel::Kernel,
    output::{port::PortShape, rules::RulesShape},
};

/// The rule in force that is named.
pub(crate) fn run(kernel: &mut impl Kernel, args: &OneRule) -> Result<PortShape, Failure> {
    let cluster = super::cluster(kernel, &args.target)?;
    let rules = kernel.rules(cluster.ifindex)?;
    let number = args.rule.find(&rules)?;
    let shapes = RulesShape::new(&cluster, &[], &rules);
    let rule = shapes.rules.into_iter().find(|rule| rule.number == number);
    Ok(PortShape {
        interface: cluster.ifname,
        rule: rule.ok_or_else(|| Failure::usage(format!("there is no rule {number} any more")))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::Target,
        failure::Exit,
        fake::{Fake, rule},
        output::Report,
    };

    #[test]
    fn a_port_leads_to_its_rule() {
        let mut kernel = Fake {
            rules: vec![rule(0, 443, 443), rule(1, 8000, 8099)],
            ..Fake::in_cluster()
        };
        let mut ask = |name: &str| {
            let args = OneRule {
                rule: name.parse().unwrap(),
                target: Target::default(),
            };
            run(&mut kernel, &args)
        };
        let shape = ask("192.0.2.10:8050").unwrap();
        assert_eq!(shape.rule.number, 1);
        let text = shape.human();
        assert!(text.contains("8000-8099 of all VIPs"), "{text}");
        assert_eq!(ask("all:80").unwrap_err().exit, Exit::Usage);
    }
}
