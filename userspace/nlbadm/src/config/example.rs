// SPDX-License-Identifier: GPL-2.0-only

//! A file with every key.

/// It stands in `--help` and the manual page. The tests check it as it stands.
pub(crate) const EXAMPLE: &str = r#"# /etc/nlb/web.toml, the same on every host. What is left out has the value in the comments.
# One host serves everything if there are no rules at all: `rule = []`, here.

[cluster]
name = "web"                    # [that of the file, without .toml]
vips = ["192.0.2.10", "2001:db8::10"]   # the first is the primary
interface = "eth1"              # on the cluster's segment; a host may have another
mode = "multicast"              # unicast, multicast, igmp [multicast]
# virtual-mac = "03:bf:c0:00:02:0a"     [made of mode and primary VIP]
period = "200ms"                # between two heartbeats: 10ms to 10s [200ms]
tolerance = 5                   # heartbeats that may be missed: 3 to 100 [5]
echo = "default-host"           # who answers pings: default-host, all, hash, drop [default-host]
responder = "default-host"      # who answers ARP and ND: default-host, all [default-host]
allow-other-interfaces = false  # whether VIP packets are served from other interfaces [false]
sessions-max = 262144           # sessions without a socket: 0 to 1048576; a host may have another [262144]
key-file = "/etc/nlb/web.key"   # as `nlbadm genkey` prints it [/etc/nlb/NAME.key]
key-id = 1                      # 1 to 255 [1]
remote-control = true           # whether nlbd, where it runs, does what other hosts ask for [false]
control-key-file = "/etc/nlb/web.control"   # its key, made by `nlbadm genkey` as well [/etc/nlb/NAME.control]
replicate = true                # whether nlbd of all hosts keeps this file the same everywhere [false]
# no-key = true                         anyone on the segment may take part
# affinity = "single"                   of the default rule, where the file has no [[rule]]

[[rule]]                        # as in files of rules; `nlbadm help rules` has every key
ports = 443
protocols = "tcp"
weights = { 1 = 100, 2 = 50 }   # by host id
[rule.check]                    # nlbd, where it runs, checks the service of the rule on each host
type = "https"                  # tcp, http, https, command, systemd
interval = "2s"                 # from check to check: 100ms to 1h [2s]
timeout = "1s"                  # for an answer; not longer than the interval [1s]
rise = 2                        # good answers in a row until it counts as well again: 1 to 100 [2]
fall = 3                        # bad ones until it counts as not well: 1 to 100 [3]
action = "give-up"              # what the host does then: give-up this rule, drain the host; weight, see docs [give-up]
last = false                    # whether it does so though no other host takes the rule [false]
# port = 443                    tcp, http, https: where the rule has more than one port
path = "/health"                # http, https [/]
host = "www.example.org"        # http, https: who is asked for [the VIP]
status = "200-299"              # http, https: which answers are good, one or a range ["200-399"]
body = "ready"                  # http, https: what stands in a good one [anything]

[[rule]]
ports = "8000-8099"
mode = "single"
priorities = { 1 = 2, 2 = 1 }   # by host id
[rule.check]
type = "command"
# Exit code 0 or 1 is good, 2 is bad; all others tell nothing.
command = ["/usr/lib/nagios/plugins/check_procs", "-c", "1:"]

[[rule]]
ports = 53
[rule.check]
type = "systemd"
unit = "unbound.service"        # well as long as it is active

[host.web1]                     # as `hostname` prints it on the host
id = 1                          # 1 to 64; the lowest is the default host
weight = 50                     # 0 to 100 [50]

[host.web2]
id = 2
machine-id = "0123456789abcdef0123456789abcdef"  # of /etc/machine-id; counts more than the name
interface = "eth2"              # [that of the cluster]
dedicated = "192.0.2.2"         # its own address there [the interface's first]
sessions-max = 1000000          # [that of the cluster]
state = "started"               # started, stopped, suspended: when the cluster is made [started]"#;
