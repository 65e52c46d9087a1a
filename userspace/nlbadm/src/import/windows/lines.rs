// SPDX-License-Identifier: GPL-2.0-only

//! The lines of Windows' tools, sorted into what they tell of.

use super::rule::WindowsRule;
use crate::{
    import::note::{Kind, Notes},
    source::excerpt,
};

/// What the lines tell.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) objects: Vec<Object>,
    pub(super) notes: Notes,
}

/// Something with properties: what `nlb params` prints of a host, or an object of PowerShell.
#[derive(Debug, Default)]
pub(super) struct Object {
    /// Whether it is of `nlb params`.
    pub(super) of_params: bool,
    pub(super) properties: Vec<Property>,
    /// The port rules of `nlb params`.
    pub(super) rules: Vec<WindowsRule>,
    /// The hosts that `nlb query` names.
    pub(super) members: Vec<u32>,
    /// The name of the host, of `ipconfig`.
    pub(super) hostname: Option<String>,
}

/// A key with its value; the key without blanks and in lower case.
#[derive(Clone, Debug)]
pub(super) struct Property {
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) value: String,
}

impl Object {
    /// The property of one of some keys.
    pub(super) fn get(&self, keys: &[&str]) -> Option<&Property> {
        self.properties
            .iter()
            .find(|it| keys.contains(&it.key.as_str()))
    }
}

/// The part of the output that a line stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Configuration,
    Events,
    Addresses,
    State,
}

struct Reader {
    read: Read,
    section: Section,
    /// Whether an object is being read to which the next line may belong.
    open: bool,
    /// Whether the lines are rows of port rules.
    rows: bool,
    /// A line that may be the heading of a table.
    heading: Option<(usize, String)>,
    /// The table that is being read: the beginning and name of each column.
    table: Option<Vec<(usize, String)>>,
    /// Whether host ids are expected on the line.
    members: bool,
}

pub(super) fn read(text: &str) -> Read {
    let mut reader = Reader {
        read: Read::default(),
        section: Section::Configuration,
        open: false,
        rows: false,
        heading: None,
        table: None,
        members: false,
    };
    for (index, line) in text.lines().enumerate() {
        reader.line(index + 1, line);
    }
    reader.unused_heading();
    reader.read
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            self.unused_heading();
            self.open = false;
            self.table = None;
        } else if trimmed.starts_with('#') {
            // A remark of whoever put the output of several hosts together.
        } else if trimmed.contains("Cluster Control Utility") {
            self.begin_params();
        } else if let Some(title) = trimmed.strip_prefix("===") {
            self.title(number, &title.to_ascii_lowercase());
        } else {
            match self.section {
                Section::Configuration => self.configuration(number, line, trimmed),
                Section::Events => {}
                Section::Addresses => self.address(trimmed),
                Section::State => self.state(number, trimmed),
            }
        }
    }

    fn begin_params(&mut self) {
        self.read.objects.push(Object {
            of_params: true,
            ..Object::default()
        });
        self.section = Section::Configuration;
        self.open = false;
        self.rows = false;
    }

    /// A title of `nlb display`.
    fn title(&mut self, number: usize, title: &str) {
        self.section = if title.contains("event") {
            let text = "event messages: they tell nothing of the configuration";
            self.read.notes.at(Kind::NoCounterpart, number, text);
            Section::Events
        } else if title.contains("ip config") || title.contains("ipconfig") {
            Section::Addresses
        } else if title.contains("state") {
            Section::State
        } else {
            Section::Configuration
        };
    }

    fn configuration(&mut self, number: usize, line: &str, trimmed: &str) {
        if trimmed.starts_with("PS ") || trimmed.starts_with("C:\\") || is_greeting(trimmed) {
            return;
        }
        let lower = trimmed.to_ascii_lowercase();
        if lower.starts_with("portrules") || lower.starts_with("port rules") {
            self.rows = true;
            return;
        }
        if is_query(&lower) {
            return self.state(number, trimmed);
        }
        if self.members {
            return self.state(number, trimmed);
        }
        if let Some((key, value)) = trimmed.split_once('=') {
            self.rows = false;
            return self.property_of_params(number, key, value);
        }
        if self.rows {
            return self.row(number, trimmed);
        }
        if is_rule_line(trimmed) {
            return self.begin_table(number, line);
        }
        if let Some(columns) = self.table.clone() {
            return self.table_row(number, line, &columns);
        }
        if let Some((key, value)) = property(trimmed) {
            self.unused_heading();
            return self.property_of_list(number, key, value);
        }
        // The rest of a value that PowerShell has broken, or what may be the heading of a table.
        if self.open && line.starts_with("   ") {
            if let Some(last) = self
                .read
                .objects
                .last_mut()
                .and_then(|it| it.properties.last_mut())
            {
                last.value.push_str(trimmed);
                return;
            }
        }
        self.unused_heading();
        self.heading = Some((number, line.to_owned()));
    }

    /// What was taken for a heading, and was none.
    fn unused_heading(&mut self) {
        if let Some((number, line)) = self.heading.take() {
            self.read
                .notes
                .at(Kind::NotUnderstood, number, excerpt(line.trim()));
        }
    }

    fn property_of_params(&mut self, number: usize, key: &str, value: &str) {
        let key = plain(key);
        let fresh = match self.read.objects.last() {
            Some(object) => {
                !object.of_params
                    || (key == "hostpriority" && object.get(&["hostpriority"]).is_some())
            }
            None => true,
        };
        if fresh {
            self.begin_params();
        }
        self.push(number, key, value);
    }

    fn property_of_list(&mut self, number: usize, key: &str, value: &str) {
        let key = plain(key);
        let again = self
            .read
            .objects
            .last()
            .is_some_and(|it| it.get(&[&key]).is_some());
        if !self.open || again {
            self.read.objects.push(Object::default());
            self.open = true;
        }
        self.push(number, key, value);
    }

    fn push(&mut self, line: usize, key: String, value: &str) {
        if let Some(object) = self.read.objects.last_mut() {
            object.properties.push(Property {
                line,
                key,
                value: value.trim().to_owned(),
            });
        }
    }

    /// A row of the port rules of `nlb params`.
    fn row(&mut self, number: usize, line: &str) {
        let lower = line.to_ascii_lowercase();
        let is_heading = lower.contains("start") && lower.contains("end");
        if is_heading || is_rule_line(line) || lower.starts_with("no port rules") {
            return;
        }
        let words: Vec<_> = line.split_whitespace().collect();
        match WindowsRule::of_row(number, &words) {
            Ok(rule) => {
                if self.read.objects.is_empty() {
                    self.begin_params();
                    self.rows = true;
                }
                if let Some(object) = self.read.objects.last_mut() {
                    object.rules.push(rule);
                }
            }
            Err(why) => {
                let text = format!("the port rule {}: {why}", excerpt(line));
                self.read.notes.at(Kind::NotUnderstood, number, text);
            }
        }
    }

    /// A line of hyphens below a heading: a table of PowerShell.
    fn begin_table(&mut self, number: usize, line: &str) {
        let Some((_, heading)) = self.heading.take() else {
            self.read
                .notes
                .at(Kind::NotUnderstood, number, excerpt(line.trim()));
            return;
        };
        let heading: Vec<char> = heading.chars().collect();
        let marks: Vec<char> = line.chars().collect();
        let begins: Vec<usize> = (0..marks.len())
            .filter(|&at| marks[at] == '-' && (at == 0 || marks[at - 1] != '-'))
            .collect();
        let columns = begins.iter().enumerate().map(|(index, &begin)| {
            let end = begins.get(index + 1).copied().unwrap_or(heading.len());
            let name: String = heading.iter().take(end).skip(begin).collect();
            (begin, plain(&name))
        });
        self.table = Some(columns.collect());
    }

    fn table_row(&mut self, number: usize, line: &str, columns: &[(usize, String)]) {
        self.read.objects.push(Object::default());
        self.open = false;
        let chars: Vec<char> = line.chars().collect();
        for (index, (begin, name)) in columns.iter().enumerate() {
            let end = columns
                .get(index + 1)
                .map_or(chars.len(), |(next, _)| *next);
            let cell: String = chars.iter().take(end).skip(*begin).collect();
            if cell.contains("...") || cell.contains('…') {
                let text = format!("{name} is cut off: print it with `| Format-List *`");
                self.read.notes.at(Kind::NotUnderstood, number, text);
                continue;
            }
            self.push(number, name.clone(), &cell);
        }
    }

    /// A line of `ipconfig`: its name of the host is of use.
    fn address(&mut self, line: &str) {
        let Some((key, value)) = line.split_once(" :").or_else(|| line.split_once(": ")) else {
            return;
        };
        let key: String = key.chars().filter(char::is_ascii_alphabetic).collect();
        if key.eq_ignore_ascii_case("hostname") && !value.trim().is_empty() {
            if let Some(object) = self.read.objects.last_mut() {
                object.hostname = Some(value.trim().to_owned());
            }
        }
    }

    /// A line of `nlb query`: the host ids that follow its colon, or stand on the line after it.
    fn state(&mut self, number: usize, line: &str) {
        let lower = line.to_ascii_lowercase();
        let ids = if is_query(&lower) {
            self.members = lower.trim_end().ends_with(':');
            line.rsplit_once(':').map_or("", |(_, ids)| ids)
        } else if std::mem::take(&mut self.members) {
            line
        } else {
            return;
        };
        for word in ids.split([',', ' ']).filter(|word| !word.is_empty()) {
            match (word.parse(), self.read.objects.last_mut()) {
                (Ok(id), Some(object)) => object.members.push(id),
                _ => {
                    let text = format!("the host {}", excerpt(word));
                    self.read.notes.at(Kind::NotUnderstood, number, text);
                }
            }
        }
    }
}

/// A name as a key: `Cluster IP address` and `ClusterIPAddress` are one.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// A line of hyphens, with blanks between them.
fn is_rule_line(line: &str) -> bool {
    line.contains("--") && line.chars().all(|c| c == '-' || c.is_whitespace())
}

/// Lines that say what follows.
fn is_greeting(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    lower.starts_with("retrieving parameters")
        || lower.starts_with("copyright")
        || lower
            .strip_prefix("cluster ")
            .is_some_and(|rest| rest.trim().parse::<std::net::IpAddr>().is_ok())
}

/// A sentence of `nlb query`, which names hosts.
fn is_query(lower: &str) -> bool {
    lower.starts_with("host ") && (lower.contains("converg") || lower.contains("following host"))
}

/// `Name  : value`, as Format-List prints it.
fn property(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-');
    let good =
        !key.trim().is_empty() && key.chars().all(is_name) && key.split_whitespace().count() <= 4;
    good.then_some((key, value))
}
