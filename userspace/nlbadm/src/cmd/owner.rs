// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm owner`

use std::net::IpAddr;

use nlb_netlink::object::{Cluster, Question};

use crate::{
    cli::{Owner, Target},
    endpoint::Endpoint,
    failure::{Exit, Failure},
    kernel::Kernel,
    output::{owner::OwnerShape, print, print_line},
    rulename::coverage,
};

/// Which host serves a connection, or many, and why.
pub(crate) fn run(kernel: &mut impl Kernel, json: bool, args: &Owner) -> Result<(), Failure> {
    if let (Some(client), Some(vip)) = (args.client, args.vip) {
        let mut shape = one(kernel, args, client, vip)?;
        let rules = kernel.rules(shape.ifindex)?;
        let rule = rules
            .iter()
            .find(|rule| !rule.pending && Some(rule.number) == shape.rule);
        shape.coverage = rule.map(coverage);
        return Ok(print(json, &shape)?);
    }
    for (number, line) in std::io::stdin().lines().enumerate() {
        let line = line.map_err(|error| Failure::usage(format!("standard input: {error}")))?;
        let (client, vip) = parse(&line).map_err(|error| {
            Failure::usage(format!("line {}: {error}", number.saturating_add(1)))
        })?;
        print_line(json, &one(kernel, args, client, vip)?)?;
    }
    Ok(())
}

/// A question of the batch.
fn parse(line: &str) -> Result<(Endpoint, Endpoint), String> {
    let mut words = line.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(client), Some(vip), None) => Ok((client.parse()?, vip.parse()?)),
        _ => Err("write CLIENT[:PORT] VIP[:PORT]".into()),
    }
}

/// Which host serves a connection.
pub(crate) fn one(
    kernel: &mut impl Kernel,
    args: &Owner,
    client: Endpoint,
    vip: Endpoint,
) -> Result<OwnerShape, Failure> {
    if client.address.is_ipv4() != vip.address.is_ipv4() {
        return Err(Failure::usage(format!(
            "the client {} and the VIP {} are of different address families",
            client.address, vip.address
        )));
    }
    if !args.proto.has_ports() && (client.port.is_some() || vip.port.is_some()) {
        return Err(Failure::usage(format!(
            "{} has no ports: leave them out",
            args.proto.name()
        )));
    }
    let cluster = find(kernel, args, vip.address)?;
    let question = Question {
        ifindex: cluster.ifindex,
        client: client.address,
        client_port: client.port.unwrap_or(0),
        vip: vip.address,
        vip_port: vip.port.unwrap_or(0),
        protocol: args.proto.number(vip.address.is_ipv6()),
    };
    let answer = kernel.owner(question)?;
    Ok(OwnerShape::new(&cluster, question, args.proto, answer))
}

/// The cluster of the interface, or the one that has the VIP.
fn find(kernel: &mut impl Kernel, args: &Owner, vip: IpAddr) -> Result<Cluster, Failure> {
    let cluster = if args.interface.is_some() {
        let target = Target {
            interface: args.interface.clone(),
        };
        super::cluster(kernel, &target)?
    } else {
        let clusters = kernel.clusters()?;
        let (with, without): (Vec<_>, Vec<_>) = clusters
            .into_iter()
            .partition(|cluster| cluster.vips.contains(&vip));
        super::only(if with.is_empty() { without } else { with })?
    };
    if cluster.vips.contains(&vip) {
        Ok(cluster)
    } else {
        let vips: Vec<_> = cluster.vips.iter().map(ToString::to_string).collect();
        Err(Failure::new(
            Exit::Usage,
            format!(
                "{vip} is no VIP of the cluster {} on {}; it has {}",
                cluster.name,
                cluster.ifname,
                vips.join(", ")
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_batch_is_two_endpoints() {
        let (client, vip) = parse("198.51.100.7:4000  192.0.2.10:80").unwrap();
        assert_eq!((client.port, vip.port), (Some(4000), Some(80)));
        for wrong in ["", "198.51.100.7", "a b", "1.1.1.1 2.2.2.2 3.3.3.3"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
