// SPDX-License-Identifier: GPL-2.0-only
//! The table of golden packets, as `scripts/golden/table.py` prints it.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// A line: its name, and its fields by their keys.
pub(crate) struct Line {
    pub(crate) name: String,
    fields: Vec<(String, String)>,
}

/// The table.
pub(crate) struct Table {
    pub(crate) clusters: Vec<Line>,
    pub(crate) packets: Vec<Line>,
}

/// A TCP connection: the client's end, and that of the VIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Session {
    pub(crate) client: SocketAddr,
    pub(crate) vip: SocketAddr,
}

impl Table {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let mut table = Self {
            clusters: Vec::new(),
            packets: Vec::new(),
        };
        for line in text.lines() {
            let (kind, rest) = line.split_once(' ').context("a line has a kind")?;
            let line = Line::parse(rest)?;
            match kind {
                "cluster" => table.clusters.push(line),
                "packet" => table.packets.push(line),
                _ => bail!("no such kind of line: {kind}"),
            }
        }
        Ok(table)
    }

    /// The cluster of that name.
    pub(crate) fn cluster(&self, name: &str) -> Result<&Line> {
        let mut clusters = self.clusters.iter();
        clusters
            .find(|cluster| cluster.name == name)
            .with_context(|| format!("the table has no cluster {name}"))
    }

    /// The packets to a cluster that arrive at a host in one of these states.
    pub(crate) fn packets<'a>(
        &'a self,
        cluster: &'a str,
        states: &'a [String],
    ) -> impl Iterator<Item = &'a Line> {
        self.packets.iter().filter(move |line| {
            line.get("cluster") == Some(cluster) && states.contains(&line.state())
        })
    }
}

impl Line {
    fn parse(text: &str) -> Result<Self> {
        let mut words = text.split(' ');
        let name = words.next().context("a line has a name")?.to_owned();
        let fields = words
            .map(|word| {
                let (key, value) = word.split_once('=').context("a field has a value")?;
                Ok((key.to_owned(), value.to_owned()))
            })
            .collect::<Result<_>>()?;
        Ok(Self { name, fields })
    }

    /// All values of a field.
    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let of_key = self.fields.iter().filter(move |(other, _)| other == key);
        of_key.map(|(_, value)| &value[..])
    }

    /// The value of a field.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields
            .find(|(other, _)| other == key)
            .map(|(_, value)| &value[..])
    }

    /// The value of a field that must be there.
    pub(crate) fn need(&self, key: &str) -> Result<&str> {
        self.get(key)
            .with_context(|| format!("{} has no {key}", self.name))
    }

    /// What the host knows: owner, moved, others, default.
    pub(crate) fn state(&self) -> String {
        let fields = ["owner", "moved", "others", "default"];
        fields.map(|key| self.get(key).unwrap_or("-")).join("/")
    }

    /// A field of bytes.
    pub(crate) fn bytes(&self, key: &str) -> Result<Vec<u8>> {
        unhex(self.need(key)?).with_context(|| format!("{}: {key}", self.name))
    }

    /// A field that names a connection.
    pub(crate) fn session(&self, key: &str) -> Result<Option<Session>> {
        let Some(text) = self.get(key) else {
            return Ok(None);
        };
        let parts: Vec<_> = text.split('/').collect();
        let [client, client_port, vip, vip_port] = parts[..] else {
            bail!("{}: {key} has four parts", self.name);
        };
        let end = |address: &str, port: &str| -> Result<SocketAddr> {
            Ok(SocketAddr::new(address.parse::<IpAddr>()?, port.parse()?))
        };
        Ok(Some(Session {
            client: end(client, client_port)?,
            vip: end(vip, vip_port)?,
        }))
    }

    /// The rules of a cluster, as a file for `nlbadm up --rules`.
    pub(crate) fn rule_file(&self) -> Result<String> {
        let mut file = String::new();
        for text in self.all("rule") {
            let parts: Vec<_> = text.split('/').collect();
            let [vip, protocols, ports, mode, affinity, p4, p6, track, _] = parts[..] else {
                bail!("a rule has nine parts: {text}");
            };
            file.push_str("[[rule]]\n");
            if vip != "all" {
                writeln!(file, "vip = \"{vip}\"")?;
            }
            if ports != "0-65535" {
                writeln!(file, "ports = \"{ports}\"")?;
            }
            writeln!(
                file,
                "protocols = \"{protocols}\"\nmode = \"{mode}\"\naffinity = \"{affinity}\"\n\
                 prefix-v4 = {p4}\nprefix-v6 = {p6}\ntrack = \"{track}\"\n"
            )?;
        }
        Ok(file)
    }

    /// The numbers of the rules that are disabled on the host.
    pub(crate) fn disabled_rules(&self) -> Vec<usize> {
        let rules = self.all("rule").enumerate();
        rules
            .filter(|(_, text)| text.ends_with("/disabled"))
            .map(|(number, _)| number)
            .collect()
    }
}

/// The bytes of a hexadecimal number.
pub(crate) fn unhex(digits: &str) -> Result<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_its_fields() {
        let line = Line::parse(
            "v4/tcp/owner cluster=plain owner=all moved=no others=no default=yes frame=00ff \
             session=198.51.100.7/40000/192.0.2.10/80 verdict=accept",
        )
        .unwrap();
        assert_eq!(line.name, "v4/tcp/owner");
        assert_eq!(line.state(), "all/no/no/yes");
        assert_eq!(line.bytes("frame").unwrap(), [0, 255]);
        let session = line.session("session").unwrap().unwrap();
        assert_eq!(session.client.to_string(), "198.51.100.7:40000");
        assert_eq!(session.vip.to_string(), "192.0.2.10:80");
        assert_eq!(line.session("witness").unwrap(), None);
        assert!(line.need("witness").is_err());
    }

    #[test]
    fn rules_become_a_file() {
        let line = Line::parse(
            "rules vip=192.0.2.10 rule=all/tcp/80-80/multiple/none/24/64/quic/enabled \
             rule=192.0.2.10/both/3000-3100/single/single/24/64/off/disabled",
        )
        .unwrap();
        assert_eq!(line.disabled_rules(), [1]);
        let file = line.rule_file().unwrap();
        assert!(file.starts_with("[[rule]]\nports = \"80-80\"\nprotocols = \"tcp\"\n"));
        assert!(file.contains("[[rule]]\nvip = \"192.0.2.10\"\nports = \"3000-3100\"\n"));
    }
}
