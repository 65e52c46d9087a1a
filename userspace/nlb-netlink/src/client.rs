// SPDX-License-Identifier: GPL-2.0-only

//! A synchronous client of the family.

use std::cmp::Reverse;

use netlink_packet_core::DecodeError;
use netlink_packet_generic::{
    GenlMessage,
    ctrl::{
        GenlCtrl, GenlCtrlCmd,
        nlas::{GenlCtrlAttrs, McastGrpAttrs},
    },
};
use nlb_core::{
    genl::{self, Command},
    limits::KEY_LEN,
};

use crate::{
    attribute::{
        AttributeSet, BucketAttribute, ClusterAttribute, CounterAttribute, HistoryAttribute,
        KeyAttribute, MemberAttribute, RuleAttribute,
    },
    connection::Connection,
    error::Error,
    extack::AttributeNames,
    message::{Attributes, NlbMessage},
    object::{
        Answer, BucketMap, Cluster, ClusterChange, Convergence, Counter, Event, Heartbeat, Key,
        Member, NewCluster, NewRule, PortRule, Question, RuleChange, SettingsChange,
    },
    transport::Transport,
};

/// `ENOENT`: the controller knows no family of that name.
const ENOENT: i32 = 2;

impl AttributeNames for GenlMessage<NlbMessage> {
    fn attribute_name(&self, kind: u16) -> Option<String> {
        Attributes::name(self.payload.command.known()?, kind)
    }

    fn nested_name(&self, _outer: u16, kind: u16) -> Option<String> {
        // There is one set that is nested anywhere.
        RuleAttribute::full_name(kind)
    }
}

impl AttributeNames for GenlMessage<GenlCtrl> {
    fn attribute_name(&self, _kind: u16) -> Option<String> {
        None
    }
}

/// Numbers that the kernel gave the family when the module was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Family {
    id: u16,
    version: u32,
    groups: Vec<(String, u32)>,
}

/// A synchronous client of the family.
#[derive(Debug)]
pub struct Client<T> {
    connection: Connection<T>,
    family: Family,
}

/// A notification of one of the groups.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notification {
    /// A state change.
    Event(Event),
    /// A heartbeat to be carried.
    Heartbeat(Heartbeat),
}

impl<T: Transport> Client<T> {
    /// A client over a generic netlink transport; asks for the numbers of the family, which also loads the module
    /// if the system knows it.
    ///
    /// # Errors
    ///
    /// [`Error::NoFamily`] if the module is not loaded, [`Error::OtherVersion`] if it is of another version.
    pub fn new(transport: T) -> Result<Self, Error> {
        let client = Client::of_any_version(transport)?;
        if client.family.version != u32::from(genl::VERSION) {
            return Err(Error::OtherVersion {
                module: client.family.version,
                ours: genl::VERSION,
            });
        }
        Ok(client)
    }

    /// A client for one who looks at clusters, or takes a host out of them: lists, [`ClusterChange::Control`],
    /// [`ClusterChange::Drainstop`] and [`Client::remove`] have the same numbers and the same meaning in every version
    /// of the family, so that a host can leave in order whichever module it has.
    ///
    /// # Errors
    ///
    /// [`Error::NoFamily`] if the module is not loaded.
    pub fn of_any_version(transport: T) -> Result<Self, Error> {
        let mut connection = Connection::new(transport);
        let family = Family::look_up(&mut connection)?;
        Ok(Client { connection, family })
    }

    /// All clusters of this network namespace.
    ///
    /// # Errors
    ///
    /// As [`Connection::dump`].
    pub fn clusters(&mut self) -> Result<Vec<Cluster>, Error> {
        let replies = self.dump(Command::ClusterGet, Vec::<ClusterAttribute>::new())?;
        collect(replies, |attributes| match attributes {
            Attributes::Cluster(attributes) => Cluster::from_attributes(attributes).map(Some),
            _ => Ok(None),
        })
    }

    /// The cluster of an interface; `None` only if the module says nothing of it, though it does not refuse.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn cluster(&mut self, ifindex: u32) -> Result<Option<Cluster>, Error> {
        let request = vec![ClusterAttribute::Ifindex(ifindex)];
        let replies = self.request(Command::ClusterGet, request)?;
        let clusters = collect(replies, |attributes| match attributes {
            Attributes::Cluster(attributes) => Cluster::from_attributes(attributes).map(Some),
            _ => Ok(None),
        })?;
        Ok(clusters.into_iter().next())
    }

    /// Makes a cluster; it starts stopped.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn create(&mut self, cluster: &NewCluster) -> Result<(), Error> {
        self.request(Command::ClusterNew, cluster.to_attributes())
            .map(drop)
    }

    /// Removes the cluster of an interface.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn remove(&mut self, ifindex: u32) -> Result<(), Error> {
        let attributes = vec![ClusterAttribute::Ifindex(ifindex)];
        self.request(Command::ClusterDel, attributes).map(drop)
    }

    /// Controls the cluster of an interface, or changes a parameter.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn change(&mut self, ifindex: u32, change: ClusterChange) -> Result<(), Error> {
        self.request(Command::ClusterSet, change.to_attributes(ifindex))
            .map(drop)
    }

    /// The hosts of a cluster, by host id.
    ///
    /// # Errors
    ///
    /// As [`Connection::dump`].
    pub fn members(&mut self, ifindex: u32) -> Result<Vec<Member>, Error> {
        let request = vec![MemberAttribute::Ifindex(ifindex)];
        let replies = self.dump(Command::MemberGet, request)?;
        let mut members = collect(replies, |attributes| match attributes {
            Attributes::Member(attributes) => Member::from_attributes(attributes).map(Some),
            _ => Ok(None),
        })?;
        members.sort_by_key(|member| member.host_id);
        Ok(members)
    }

    /// Who owns a flow, and why.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn owner(&mut self, question: Question) -> Result<Answer, Error> {
        let replies = self.request(Command::OwnerGet, question.to_attributes())?;
        let answers = collect(replies, |attributes| match attributes {
            Attributes::Owner(attributes) => Answer::from_attributes(attributes).map(Some),
            _ => Ok(None),
        })?;
        answers.into_iter().next().ok_or_else(|| {
            Error::Decode("the module acknowledged the question without an answer".into())
        })
    }

    /// The bucket maps of a cluster, by slot.
    ///
    /// # Errors
    ///
    /// As [`Connection::dump`].
    pub fn buckets(&mut self, ifindex: u32) -> Result<Vec<BucketMap>, Error> {
        let request = vec![BucketAttribute::Ifindex(ifindex)];
        let replies = self.dump(Command::BucketGet, request)?;
        let pieces = collect(replies, |attributes| match attributes {
            Attributes::Bucket(attributes) => Ok(Some(attributes)),
            _ => Ok(None),
        })?;
        Ok(BucketMap::from_dump(pieces)?)
    }

    /// The counters of a cluster, in the module's order.
    ///
    /// # Errors
    ///
    /// As [`Connection::dump`].
    pub fn counters(&mut self, ifindex: u32) -> Result<Vec<Counter>, Error> {
        self.counters_of(ifindex, None)
    }

    /// The same, of the packets of one rule alone if that is given.
    ///
    /// # Errors
    ///
    /// As [`Connection::dump`].
    pub fn counters_of(&mut self, ifindex: u32, rule: Option<u16>) -> Result<Vec<Counter>, Error> {
        let mut request = vec![CounterAttribute::Ifindex(ifindex)];
        request.extend(rule.map(CounterAttribute::Rule));
        let replies = self.dump(Command::CounterGet, request)?;
        collect(replies, |attributes| match attributes {
            Attributes::Counter(attributes) => Counter::from_attributes(attributes).map(Some),
            _ => Ok(None),
        })
    }

    /// The history of convergence, newest first.
    ///
    /// # Errors
    ///
    /// As [`Connection::dump`].
    pub fn history(&mut self, ifindex: u32) -> Result<Vec<Convergence>, Error> {
        let request = vec![HistoryAttribute::Ifindex(ifindex)];
        let replies = self.dump(Command::HistoryGet, request)?;
        let mut history = collect(replies, |attributes| match attributes {
            Attributes::History(attributes) => Convergence::from_attributes(attributes).map(Some),
            _ => Ok(None),
        })?;
        // Two of the same millisecond are told apart by their numbers.
        history.sort_by_key(|entry| (entry.age_ms, Reverse(entry.generation)));
        Ok(history)
    }

    /// Adds a key that frames may be signed with.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn add_key(&mut self, ifindex: u32, id: u8, key: [u8; KEY_LEN]) -> Result<(), Error> {
        let attributes = vec![
            KeyAttribute::Ifindex(ifindex),
            KeyAttribute::Id(id),
            KeyAttribute::Key(key),
        ];
        self.request(Command::KeySet, attributes).map(drop)
    }

    /// Sends frames with a key that is known already.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn use_key(&mut self, ifindex: u32, id: u8) -> Result<(), Error> {
        let attributes = vec![
            KeyAttribute::Ifindex(ifindex),
            KeyAttribute::Id(id),
            KeyAttribute::Send(()),
        ];
        self.request(Command::KeySet, attributes).map(drop)
    }

    /// Drops a key.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn delete_key(&mut self, ifindex: u32, id: u8) -> Result<(), Error> {
        let attributes = vec![KeyAttribute::Ifindex(ifindex), KeyAttribute::Id(id)];
        self.request(Command::KeyDel, attributes).map(drop)
    }

    /// The keys that are known, without their bytes.
    ///
    /// # Errors
    ///
    /// As [`Connection::dump`].
    pub fn keys(&mut self, ifindex: u32) -> Result<Vec<Key>, Error> {
        let replies = self.dump(Command::KeyGet, vec![KeyAttribute::Ifindex(ifindex)])?;
        collect(replies, |attributes| match attributes {
            Attributes::Key(attributes) => Key::from_attributes(attributes).map(Some),
            _ => Ok(None),
        })
    }

    /// The port rules: those in force by number, then those that wait for the other hosts.
    ///
    /// # Errors
    ///
    /// As [`Connection::dump`].
    pub fn rules(&mut self, ifindex: u32) -> Result<Vec<PortRule>, Error> {
        let replies = self.dump(Command::RuleGet, vec![RuleAttribute::Ifindex(ifindex)])?;
        collect(replies, |attributes| match attributes {
            Attributes::Rule(attributes) => PortRule::from_attributes(attributes).map(Some),
            _ => Ok(None),
        })
    }

    /// Replaces the port rules, all at once. With other hosts in the cluster they come into force when all have the
    /// same.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn set_rules(&mut self, ifindex: u32, rules: &[NewRule]) -> Result<(), Error> {
        self.request(Command::RuleSet, NewRule::list(ifindex, rules))
            .map(drop)
    }

    /// Changes settings that all hosts of a cluster share, and its rules if any are given: they come into force when all
    /// hosts have the same.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn change_settings(&mut self, ifindex: u32, change: &SettingsChange) -> Result<(), Error> {
        self.request(Command::SettingsSet, change.to_attributes(ifindex))
            .map(drop)
    }

    /// Changes what this host does about one of the rules in force.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn change_rule(
        &mut self,
        ifindex: u32,
        number: u16,
        change: RuleChange,
    ) -> Result<(), Error> {
        self.request(Command::RuleControl, change.to_attributes(ifindex, number))
            .map(drop)
    }

    /// Hands over a heartbeat that arrived on the second path.
    ///
    /// # Errors
    ///
    /// As [`Connection::request`].
    pub fn heartbeat(&mut self, heartbeat: Heartbeat) -> Result<(), Error> {
        self.request(Command::HeartbeatIn, heartbeat.into_attributes())
            .map(drop)
    }

    /// Subscribes to a multicast group. Afterwards the client is for [`Client::notifications`] alone: replies and
    /// notifications would mix.
    ///
    /// # Errors
    ///
    /// [`Error::NoGroup`] if the family has no group of that name.
    pub fn subscribe(&mut self, group: &'static str) -> Result<(), Error> {
        let number = self
            .family
            .groups
            .iter()
            .find(|(name, _)| name == group)
            .map(|&(_, number)| number)
            .ok_or(Error::NoGroup(group))?;
        Ok(self.connection.transport().join(number)?)
    }

    /// Waits for notifications; those of a newer version are left out.
    ///
    /// # Errors
    ///
    /// As [`Connection::notifications`].
    pub fn notifications(&mut self) -> Result<Vec<Notification>, Error> {
        let messages = self.connection.notifications::<GenlMessage<NlbMessage>>()?;
        let of_family = messages
            .into_iter()
            .filter(|message| message.resolved_family_id() == self.family.id)
            .map(|message| message.payload)
            .collect();
        collect(of_family, |attributes| match attributes {
            Attributes::Event(attributes) => {
                Event::from_attributes(attributes).map(|event| Some(Notification::Event(event)))
            }
            Attributes::Heartbeat(attributes) => Heartbeat::from_attributes(attributes)
                .map(|heartbeat| Some(Notification::Heartbeat(heartbeat))),
            _ => Ok(None),
        })
    }

    fn request(
        &mut self,
        command: Command,
        attributes: impl Into<Attributes>,
    ) -> Result<Vec<NlbMessage>, Error> {
        let message = self.message(command, attributes);
        Ok(payloads(self.connection.request(message, 0)?))
    }

    fn dump(
        &mut self,
        command: Command,
        attributes: impl Into<Attributes>,
    ) -> Result<Vec<NlbMessage>, Error> {
        let message = self.message(command, attributes);
        Ok(payloads(self.connection.dump(message)?))
    }

    fn message(
        &self,
        command: Command,
        attributes: impl Into<Attributes>,
    ) -> GenlMessage<NlbMessage> {
        let mut message = GenlMessage::from_payload(NlbMessage::new(command, attributes));
        message.set_resolved_family_id(self.family.id);
        message
    }
}

impl Family {
    fn look_up<T: Transport>(connection: &mut Connection<T>) -> Result<Self, Error> {
        let request = GenlMessage::from_payload(GenlCtrl {
            cmd: GenlCtrlCmd::GetFamily,
            nlas: vec![GenlCtrlAttrs::FamilyName(genl::FAMILY.to_owned())],
        });
        let replies = connection
            .request(request, 0)
            .map_err(|error| match error.errno() {
                Some(ENOENT) => Error::NoFamily(genl::FAMILY),
                _ => error,
            })?;
        let mut family = Family {
            id: 0,
            version: genl::VERSION.into(),
            groups: Vec::new(),
        };
        for attribute in replies.into_iter().flat_map(|reply| reply.payload.nlas) {
            match attribute {
                GenlCtrlAttrs::FamilyId(id) => family.id = id,
                GenlCtrlAttrs::Version(version) => family.version = version,
                GenlCtrlAttrs::McastGroups(groups) => {
                    family
                        .groups
                        .extend(groups.iter().filter_map(|group| group_of(group)));
                }
                _ => {}
            }
        }
        if family.id == 0 {
            return Err(Error::NoFamily(genl::FAMILY));
        }
        Ok(family)
    }
}

/// Name and number of a multicast group.
fn group_of(attributes: &[McastGrpAttrs]) -> Option<(String, u32)> {
    let (mut name, mut number) = (None, None);
    for attribute in attributes {
        match attribute {
            McastGrpAttrs::Name(value) => name = Some(value.clone()),
            McastGrpAttrs::Id(value) => number = Some(*value),
        }
    }
    Some((name?, number?))
}

fn payloads(messages: Vec<GenlMessage<NlbMessage>>) -> Vec<NlbMessage> {
    messages
        .into_iter()
        .map(|message| message.payload)
        .collect()
}

/// The objects of messages; those of another kind are left out.
fn collect<O>(
    messages: Vec<NlbMessage>,
    object: impl Fn(Attributes) -> Result<Option<O>, DecodeError>,
) -> Result<Vec<O>, Error> {
    let objects = messages
        .into_iter()
        .filter_map(|message| object(message.attributes).transpose())
        .collect::<Result<_, _>>()?;
    Ok(objects)
}
