// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm connections`: the TCP connections to the VIPs that this host has. A host that leaves ends those that it leaves
//! behind: nobody serves them any more, and they would go on sending from an address that is another host's.

use std::{collections::BTreeSet, net::IpAddr};

use nlb_netlink::{Error, object::Cluster, tcp::TcpConnection};

use crate::{
    cli::Target,
    failure::Failure,
    host::Host,
    kernel::Kernel,
    output::connections::{ConnectionShape, ConnectionsShape},
    warn,
};

/// The connections that a drain waits for.
pub(crate) fn run<K: Kernel + Host>(
    kernel: &mut K,
    target: &Target,
) -> Result<ConnectionsShape, Failure> {
    let cluster = super::cluster(kernel, target)?;
    let mut connections = of_cluster(kernel, &cluster)?;
    connections.sort_by_key(|it| (it.local, it.client));
    Ok(ConnectionsShape {
        connections: connections.iter().map(ConnectionShape::from).collect(),
        sessions: cluster.sessions,
        interface: cluster.ifname,
    })
}

/// The connections of a cluster that this host has; not those of its own programs to a VIP, which reach no other host.
fn of_cluster<K: Kernel + Host>(
    kernel: &mut K,
    cluster: &Cluster,
) -> Result<Vec<TcpConnection>, Error> {
    let addresses = kernel.all_addresses()?;
    let own: BTreeSet<IpAddr> = addresses.into_iter().map(|it| it.address).collect();
    let mut connections = kernel.connections(&cluster.vips)?;
    connections.retain(|it| !it.client.ip().is_loopback() && !own.contains(&it.client.ip()));
    Ok(connections)
}

/// Ends the connections of a cluster that this host has left; tells how many there were, and what remains.
pub(super) fn end<K: Kernel + Host>(kernel: &mut K, cluster: &Cluster) {
    let connections = match of_cluster(kernel, cluster) {
        Ok(connections) => connections,
        Err(error) => {
            return warn(Some(format!(
                "connections to the VIPs that remain here could not be seen, and were not ended: {error}"
            )));
        }
    };
    let failures = connections.iter().map(|it| kernel.end(it));
    let failures: Vec<_> = failures.filter_map(Result::err).collect();
    let ended = connections.len() - failures.len();
    if ended > 0 {
        eprintln!("nlbadm: ended {}", counted(ended));
    }
    if let Some(error) = failures.first() {
        warn(Some(format!(
            "{} to the VIPs could not be ended: {error}; `ss -K src VIP` does",
            counted(failures.len())
        )));
    }
}

fn counted(connections: usize) -> String {
    match connections {
        1 => "1 connection".into(),
        count => format!("{count} connections"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, tcp};

    fn kernel() -> Fake {
        let mut kernel = Fake::in_cluster();
        kernel.devices_addresses = vec![(2, crate::fake::address("192.0.2.1", 24, false))];
        kernel.connections = vec![
            tcp("198.51.100.7:5000", "192.0.2.10:80"),
            tcp("[2001:db8:1::7]:5000", "[2001:db8::10]:80"),
            // Of a program here.
            tcp("192.0.2.1:5001", "192.0.2.10:80"),
            tcp("127.0.0.1:5001", "192.0.2.10:80"),
            // Of another address.
            tcp("198.51.100.7:5000", "192.0.2.1:22"),
        ];
        kernel
    }

    #[test]
    fn connections_of_clients_to_the_vips_are_listed() {
        let shape = run(&mut kernel(), &Target::default()).unwrap();
        let clients = shape.connections.iter().map(|it| it.client.to_string());
        assert_eq!(
            clients.collect::<Vec<_>>(),
            ["198.51.100.7:5000", "[2001:db8:1::7]:5000"]
        );
    }

    #[test]
    fn the_same_are_ended_and_one_that_stays_does_not_keep_the_others() {
        for refused in [None, Some(95)] {
            let mut kernel = kernel();
            kernel
                .refuse
                .extend(refused.map(|errno| ("end 198", errno)));
            let cluster = kernel.clusters[0].clone();
            end(&mut kernel, &cluster);
            assert_eq!(
                kernel.changes,
                ["end 198.51.100.7:5000", "end [2001:db8:1::7]:5000"]
            );
        }
    }
}
