// SPDX-License-Identifier: GPL-2.0-only

//! The file of port rules: TOML, one `[[rule]]` for each.
//!
//! The same file is meant for all hosts of a cluster. What differs between them, load weights and handling priorities,
//! is told by host id in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    io::Read,
    net::IpAddr,
    ops::RangeInclusive,
    path::Path,
};

use nlb_core::{
    genl::Affinity,
    limits::{HOSTS_MAX, RULES_MAX},
    rules::{
        FilteringMode, HealthAction, PREFIX_V4_DEFAULT, PREFIX_V6_DEFAULT, Protocols, Rule,
        RuleError, RuleState, Track, check,
    },
};
use nlb_netlink::{Named, object::NewRule};
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};
use toml::Spanned;

use crate::{config::FileCheck, endpoint::usable_vip, failure::Failure, source::Source};

/// An example, for `--help` and the manual page. It is checked as it stands by the tests.
pub(crate) const EXAMPLE: &str = r#"# The same file for all hosts; what is left out has the value in the comments.
[[rule]]
ports = 443                     # 443 or "8000-8099" [all ports]
protocols = "tcp"               # tcp, udp, both [both]
vip = "192.0.2.10"              # [all VIPs]
weights = { 1 = 100, 2 = 0 }    # load weights 0-100 by host id [that of the host]

[[rule]]
ports = "8000-8099"
mode = "single"                 # multiple, single, disabled [multiple]
priorities = { 1 = 2, 2 = 1 }   # handling priorities 1-64 by host id [the host id]

[[rule]]
ports = 25
mode = "disabled"               # nobody serves it

[[rule]]
ports = "10000-65535"
affinity = "network"            # none, single, network [single]
prefix-v4 = 20                  # of affinity network [24]
prefix-v6 = 56                  # [64]
track = "on"                    # track UDP sessions: quic, on, off [quic]
health = "passive"              # give clients to other hosts when they get no answer: report, passive [report]
# What no rule covers goes to the default host."#;

/// The rules of a file.
#[derive(Debug)]
pub(crate) struct RuleFile {
    source: Source,
    rules: Vec<Spanned<FileRule>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    #[serde(default)]
    rule: Vec<Spanned<FileRule>>,
}

/// A rule as the file tells it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct FileRule {
    vip: Option<Vip>,
    #[serde(deserialize_with = "named")]
    protocols: Protocols,
    ports: Option<Spanned<Ports>>,
    #[serde(deserialize_with = "named")]
    mode: FilteringMode,
    #[serde(deserialize_with = "named")]
    affinity: Affinity,
    prefix_v4: u8,
    prefix_v6: u8,
    #[serde(deserialize_with = "named")]
    track: Track,
    #[serde(deserialize_with = "named")]
    health: HealthAction,
    weights: BTreeMap<HostKey, u8>,
    priorities: BTreeMap<HostKey, u8>,
    check: Option<Spanned<FileCheck>>,
}

impl Default for FileRule {
    fn default() -> Self {
        FileRule {
            vip: None,
            protocols: Protocols::Both,
            ports: None,
            mode: FilteringMode::Multiple,
            affinity: Affinity::Single,
            prefix_v4: PREFIX_V4_DEFAULT,
            prefix_v6: PREFIX_V6_DEFAULT,
            track: Track::Quic,
            health: HealthAction::Report,
            weights: BTreeMap::new(),
            priorities: BTreeMap::new(),
            check: None,
        }
    }
}

/// An address that can be a VIP.
#[derive(Debug)]
pub(crate) struct Vip(pub(crate) IpAddr);

impl<'de> Deserialize<'de> for Vip {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        usable_vip(&text).map(Vip).map_err(de::Error::custom)
    }
}

/// The id of a host, as a key.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct HostKey(u8);

impl<'de> Deserialize<'de> for HostKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .ok()
            .filter(|&id: &u8| id >= 1 && usize::from(id) <= HOSTS_MAX)
            .map(HostKey)
            .ok_or_else(|| {
                de::Error::custom(format!("a host id is a number from 1 to {HOSTS_MAX}"))
            })
    }
}

/// One port, or a range of them. Whether it is a good one is for the rules to say.
#[derive(Debug)]
struct Ports(RangeInclusive<u16>);

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Ports;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port, such as 443, or a range, such as \"8000-8099\"")
            }

            fn visit_i64<E: de::Error>(self, port: i64) -> Result<Ports, E> {
                u16::try_from(port)
                    .map(|port| Ports(port..=port))
                    .map_err(|_| E::custom(format!("{port} is no port: 0 to 65535")))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Ports, E> {
                let (first, last) = text.split_once('-').unwrap_or((text, text));
                match (first.trim().parse(), last.trim().parse()) {
                    (Ok(first), Ok(last)) => Ok(Ports(first..=last)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_any(Text)
    }
}

/// A value of an enumeration by its name.
pub(crate) fn named<'de, D: Deserializer<'de>, T: Named>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    let found = T::VALUES.iter().find(|value| value.name() == text);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = T::VALUES.iter().map(|value| value.name()).collect();
        de::Error::custom(format!("{text:?} is none of {}", names.join(", ")))
    })
}

impl RuleFile {
    /// Reads a file; `-` is the standard input.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is not right, with the place.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let text = if path.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map(|_| text)
                .map_err(|error| Failure::usage(format!("standard input: {error}")))?
        } else {
            fs::read_to_string(path).map_err(|error| {
                Failure::usage(format!("the rule file {name} cannot be read: {error}"))
            })?
        };
        Self::parse(name, text)
    }

    /// The rules of a text.
    pub(crate) fn parse(name: String, text: String) -> Result<Self, Failure> {
        let source = Source::with_lines(name, text);
        let contents: Contents = toml::from_str(source.text())
            .map_err(|error| source.refuse(error.span(), error.message()))?;
        if let Some(check) = contents
            .rule
            .iter()
            .find_map(|rule| rule.get_ref().check.as_ref())
        {
            let why =
                "checks belong into the file of a cluster, /etc/nlb/NAME.toml, which nlbd reads";
            return Err(source.refuse(Some(check.span()), why));
        }
        Ok(RuleFile {
            source,
            rules: contents.rule,
        })
    }

    /// The rules of a file that has other things in it too.
    pub(crate) fn within(source: Source, rules: Vec<Spanned<FileRule>>) -> Self {
        RuleFile { source, rules }
    }

    /// Its text.
    pub(crate) fn text(&self) -> &str {
        self.source.text()
    }

    /// How many rules there are.
    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    /// The rules with a check, each with what is written of that.
    pub(crate) fn checks(&self) -> impl Iterator<Item = (Rule, &Spanned<FileCheck>)> {
        self.rules.iter().filter_map(|rule| {
            let rule = rule.get_ref();
            Some((rule.rule(), rule.check.as_ref()?))
        })
    }

    /// The first host id that a rule names and that is none of these, with the place of the rule.
    pub(crate) fn stranger(&self, hosts: &BTreeSet<u8>) -> Option<(u8, String)> {
        self.rules.iter().enumerate().find_map(|(number, rule)| {
            let rule = rule.get_ref();
            let mut named = rule.weights.keys().chain(rule.priorities.keys());
            let HostKey(id) = named.find(|HostKey(id)| !hosts.contains(id))?;
            Some((*id, self.at(number)))
        })
    }

    /// Checks what can be checked without a cluster.
    ///
    /// # Errors
    ///
    /// The first rule that is not right, with its place.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        // Which VIPs there are is not known here: those that are named.
        let vips: Vec<_> = self.rules().iter().filter_map(|rule| rule.vip).collect();
        self.check_for(&vips)
    }

    /// Checks the rules for a cluster with these VIPs.
    ///
    /// # Errors
    ///
    /// The first rule that is not right, with its place.
    pub(crate) fn check_for(&self, vips: &[IpAddr]) -> Result<(), Failure> {
        for (number, rule) in self.rules.iter().enumerate() {
            let rule = rule.get_ref();
            let bad = |numbers: &BTreeMap<HostKey, u8>, range: RangeInclusive<u8>| {
                numbers
                    .values()
                    .find(|&number| !range.contains(number))
                    .copied()
            };
            if let Some(weight) = bad(&rule.weights, 0..=100) {
                let at = self.at(number);
                return Err(Failure::usage(format!(
                    "{at}: the load weight {weight} is not from 0 to 100"
                )));
            }
            if let Some(priority) = bad(&rule.priorities, 1..=64) {
                let at = self.at(number);
                return Err(Failure::usage(format!(
                    "{at}: the handling priority {priority} is not from 1 to 64"
                )));
            }
        }
        check(&self.rules(), vips).map_err(|error| self.refuse(error))
    }

    /// Where a rule stands in the file.
    fn at(&self, number: usize) -> String {
        let span = self.rules.get(number).map(Spanned::span);
        self.source.at(span)
    }

    /// Where the ports of a rule stand in the file.
    fn ports_at(&self, number: usize) -> String {
        let rule = self.rules.get(number).map(Spanned::get_ref);
        match rule.and_then(|rule| rule.ports.as_ref()) {
            Some(ports) => self.source.at(Some(ports.span())),
            None => self.at(number),
        }
    }

    fn rules(&self) -> Vec<Rule> {
        self.rules
            .iter()
            .map(|rule| rule.get_ref().rule())
            .collect()
    }

    /// The rules as a host says them.
    pub(crate) fn for_host(&self, host: u8) -> Vec<NewRule> {
        let own = |rule: &FileRule| NewRule {
            rule: rule.rule(),
            weight: rule.weights.get(&HostKey(host)).copied(),
            priority: rule.priorities.get(&HostKey(host)).copied(),
            state: None,
        };
        self.rules.iter().map(|rule| own(rule.get_ref())).collect()
    }

    /// Says what is wrong with the rules, and where.
    fn refuse(&self, error: RuleError) -> Failure {
        let at = |number| self.at(number);
        let text = match error {
            RuleError::TooMany => format!("{}: more than {RULES_MAX} rules", at(RULES_MAX)),
            RuleError::ReversedRange { rule } => {
                let at = self.ports_at(rule);
                format!("{at}: the range of ports ends before it begins")
            }
            RuleError::PortZero { rule } => {
                let at = self.ports_at(rule);
                format!("{at}: port 0 is allowed in the range 0-65535 only")
            }
            RuleError::UnknownVip { rule } => {
                format!("{}: the address is no VIP of the cluster", at(rule))
            }
            RuleError::Overlap { rule, other } => {
                let span = self.rules.get(other).map(Spanned::span);
                let other = self.source.place(span);
                format!(
                    "{}: the rule covers packets that the rule{other} covers",
                    at(rule)
                )
            }
            RuleError::PrefixV4 { rule } => {
                format!("{}: an IPv4 prefix length is 1 to 32", at(rule))
            }
            RuleError::PrefixV6 { rule } => {
                format!("{}: an IPv6 prefix length is 1 to 128", at(rule))
            }
            RuleError::TunnelAffinity { rule } => format!(
                "{}: affinity none would part a tunnel's data, which has no ports, from its control; use single",
                at(rule)
            ),
        };
        Failure::usage(text)
    }
}

impl FileRule {
    fn rule(&self) -> Rule {
        let ports = self.ports.as_ref().map(Spanned::get_ref);
        let (first_port, last_port) =
            ports.map_or((0, u16::MAX), |it| (*it.0.start(), *it.0.end()));
        Rule {
            vip: self.vip.as_ref().map(|vip| vip.0),
            protocols: self.protocols,
            first_port,
            last_port,
            mode: self.mode,
            affinity: self.affinity,
            prefix_v4: self.prefix_v4,
            prefix_v6: self.prefix_v6,
            track: self.track,
            health: self.health,
            state: RuleState::Enabled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<RuleFile, Failure> {
        let file = RuleFile::parse("rules.toml".into(), text.into())?;
        file.check().map(|()| file)
    }

    fn refusal(text: &str) -> String {
        let failure = parse(text).unwrap_err();
        assert_eq!(failure.exit, crate::failure::Exit::Usage);
        failure.message
    }

    #[test]
    fn the_example_says_what_its_comments_say() {
        let file = parse(EXAMPLE).unwrap();
        let [of_1, of_2] = [1, 2].map(|host| file.for_host(host));
        assert_eq!(of_1.len(), 4);
        let rules: Vec<_> = of_1.iter().map(|rule| rule.rule).collect();
        assert!(rules.iter().eq(of_2.iter().map(|rule| &rule.rule)));
        assert_eq!(rules[0].protocols, Protocols::Tcp);
        assert_eq!((rules[0].first_port, rules[0].last_port), (443, 443));
        assert_eq!((rules[1].first_port, rules[1].last_port), (8000, 8099));
        assert_eq!(rules[1].mode, FilteringMode::Single);
        assert_eq!(rules[2].mode, FilteringMode::Disabled);
        assert_eq!((rules[3].prefix_v4, rules[3].prefix_v6), (20, 56));
        assert_eq!([of_1[0].weight, of_2[0].weight], [Some(100), Some(0)]);
        assert_eq!([of_1[1].priority, of_2[1].priority], [Some(2), Some(1)]);
        assert_eq!(file.for_host(3)[0].weight, None);
    }

    #[test]
    fn what_is_left_out_is_the_default_rule() {
        let rules = parse("[[rule]]\n").unwrap().for_host(1);
        assert_eq!(rules[0].rule, Rule::all(Affinity::Single));
        assert!(
            parse("# no rules: all goes to the default host\n")
                .unwrap()
                .for_host(1)
                .is_empty()
        );
    }

    #[test]
    fn faults_are_told_with_their_line() {
        for (text, words) in [
            (
                "[[rule]]\nports = \"90-80\"",
                "line 2: the range of ports ends before",
            ),
            ("[[rule]]\nports = 0", "line 2: port 0"),
            (
                "[[rule]]\nports = 80\n[[rule]]\nports = \"70-90\"",
                "line 3: the rule covers packets that the rule line 1 covers",
            ),
            (
                "[[rule]]\nports = 1723\naffinity = \"none\"",
                "line 1: affinity none would part",
            ),
            (
                "[[rule]]\nprefix-v4 = 33",
                "line 1: an IPv4 prefix length is 1 to 32",
            ),
            (
                "[[rule]]\nprefix-v6 = 0",
                "line 1: an IPv6 prefix length is 1 to 128",
            ),
            ("[[rule]]\nports = 65536", "line 2: 65536 is no port"),
            ("[[rule]]\nports = \"http\"", "line 2: invalid value"),
            (
                "[[rule]]\nmode = \"both\"",
                "line 2: \"both\" is none of multiple, single, disabled",
            ),
            (
                "[[rule]]\nweights = { 1 = 101 }",
                "line 1: the load weight 101 is not from 0 to 100",
            ),
            (
                "[[rule]]\npriorities = { 1 = 0 }",
                "line 1: the handling priority 0 is not from 1 to 64",
            ),
            (
                "[[rule]]\nweights = { 65 = 1 }",
                "a host id is a number from 1 to 64",
            ),
            ("[[rule]]\nvip = \"224.0.0.1\"", "line 2: "),
            ("[[rule]]\nport = 80", "line 2: unknown field `port`"),
            ("[rules]\n", "line 1: unknown field `rules`"),
            ("[[rule]\n", "line 1: "),
        ] {
            let message = refusal(text);
            assert!(message.starts_with("rules.toml "), "{message}");
            assert!(message.contains(words), "{text:?}: {message}");
        }
        let many = (1..=65).map(|port| format!("[[rule]]\nports = {port}\n"));
        assert!(refusal(&many.collect::<String>()).contains("line 129: more than 64 rules"));
    }

    #[test]
    fn a_rule_for_an_address_that_is_no_vip_is_refused_when_the_vips_are_known() {
        let file = parse("[[rule]]\nvip = \"192.0.2.11\"").unwrap();
        let refused = file
            .check_for(&["192.0.2.10".parse().unwrap()])
            .unwrap_err();
        assert!(
            refused.message.contains("line 1: the address is no VIP"),
            "{refused}"
        );
        assert!(file.check_for(&["192.0.2.11".parse().unwrap()]).is_ok());
    }

    #[test]
    fn fuzz_rule_file() {
        let words = "[[rule]]\nvip = \"2001:db8::1\"\nports = \"1-65535\"\nprotocols = \"both\"\nmode = \"multiple\"";
        let fuzz = nlb_fuzz::Fuzz::new("rule-file").seeds([EXAMPLE, words, "rule = []"]);
        fuzz.inputs(20_000).run(|bytes| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let file = match parse(&text) {
                Ok(file) => file,
                Err(failure) => {
                    let message = failure.message;
                    assert!(message.starts_with("rules.toml"), "{message}");
                    let said = message.split_once(": ").expect("a place, then words").1;
                    assert!(!said.is_empty());
                    // The first words say which check it was.
                    let words: Vec<_> = said.split_whitespace().take(3).collect();
                    let words = words
                        .join(" ")
                        .replace(|c: char| !c.is_ascii_lowercase(), "");
                    return nlb_fuzz::outcome(words);
                }
            };
            let rules = file.rules();
            assert!(rules.len() <= RULES_MAX);
            let vips: Vec<_> = rules.iter().filter_map(|rule| rule.vip).collect();
            assert_eq!(
                check(&rules, &vips),
                Ok(()),
                "what is right here is right in the module"
            );
            // Each host says the same rules, with numbers of its own in range.
            for host in [1, 2, 64] {
                let own = file.for_host(host);
                assert!(own.iter().map(|new| new.rule).eq(rules.iter().copied()));
                assert!(
                    own.iter()
                        .all(|new| new.weight.is_none_or(|weight| weight <= 100))
                );
                assert!(
                    own.iter()
                        .all(|new| new.priority.is_none_or(|n| (1..=64).contains(&n)))
                );
            }
            nlb_fuzz::outcome(format!("{rules:?}"))
        });
    }
}
