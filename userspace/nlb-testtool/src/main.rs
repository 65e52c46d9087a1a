// SPDX-License-Identifier: GPL-2.0-only
//! `tt`: what the tests of nlb need inside a guest and cannot have from a
//! shell at the speed of an emulated machine: thousands of connections from
//! hundreds of addresses, servers that say which host they are, hostile
//! frames, and a count of what a capture holds.

mod analyse;
mod ask;
mod capture;
mod client;
mod company;
mod connect;
mod cost;
mod datagrams;
mod ethtool;
mod flood;
mod forge;
mod genl;
mod golden;
mod goldentable;
mod handshake;
mod held;
mod history;
mod hold;
mod inject;
mod key;
mod messages;
mod model;
mod ovs;
mod packet;
mod raw;
mod remove;
mod replay;
mod serve;
mod sources;
mod spin;
mod stand;
mod summary;
mod team;

use clap::{Parser, Subcommand};

/// Load, servers, hostile frames and capture analysis for the tests of nlb.
#[derive(Parser)]
#[command(name = "tt", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Answer TCP and UDP requests with "host N".
    Serve(serve::Args),
    /// Make requests from many addresses and say who answered.
    Connect(connect::Args),
    /// Keep many connections busy and say which of them broke.
    Hold(hold::Args),
    /// Keep UDP sessions and say whether they stay where they are.
    Datagrams(datagrams::Args),
    /// Begin connections, and finish them when told.
    Handshake(handshake::Args),
    /// Begin connections at a steady pace and never finish them.
    Flood(flood::Args),
    /// Send one packet as asked for.
    Packet(packet::Args),
    /// Send a frame that the kernel is told to be of another EtherType.
    Raw(raw::Args),
    /// Count SYNs, SYN-ACKs, resets and ARP bindings in a capture file.
    Analyse(analyse::Args),
    /// Sign a recorded heartbeat anew, as another host or version.
    Forge(forge::Args),
    /// Say what the work of the protocol costs.
    Cost(cost::Args),
    /// Be all other hosts of a real host's cluster, and say what it takes to send it heartbeats.
    Company(company::Args),
    /// Say what interrupts a loop again and again.
    Spin(spin::Args),
    /// Make many TCP connections that are there without a packet.
    Stand(stand::Args),
    /// Send the golden packets into the real hook.
    Golden(golden::Args),
    /// Send random or truncated frames.
    Inject(inject::Args),
    /// Ask the module for something once, and say what came of it.
    Ask(ask::Args),
    /// Send netlink messages that nobody would send to the module.
    Messages(messages::Args),
    /// Remove a cluster from an interface, without a stop before.
    Remove(remove::Args),
    /// Send recorded frames again, whole or altered.
    Replay(replay::Args),
    /// Let random events happen to devices of many namespaces, and compare with what must come of them.
    Model(model::Args),
    /// Ask the module what lines of a `tt model` say.
    #[command(hide = true)]
    Administrator(model::administrator::Args),
    /// Make an Open vSwitch datapath with a port.
    Ovs(ovs::Args),
    /// Set the mode of a team device.
    Team(team::Args),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().verb {
        Verb::Serve(args) => serve::run(&args),
        Verb::Connect(args) => connect::run(&args),
        Verb::Hold(args) => hold::run(&args),
        Verb::Datagrams(args) => datagrams::run(&args),
        Verb::Handshake(args) => handshake::run(&args),
        Verb::Flood(args) => flood::run(&args),
        Verb::Packet(args) => packet::run(&args),
        Verb::Raw(args) => raw::run(&args),
        Verb::Analyse(args) => analyse::run(&args),
        Verb::Forge(args) => forge::run(&args),
        Verb::Cost(args) => cost::run(&args),
        Verb::Company(args) => company::run(&args),
        Verb::Spin(args) => spin::run(&args),
        Verb::Stand(args) => stand::run(&args),
        Verb::Golden(args) => golden::run(&args),
        Verb::Inject(args) => inject::run(&args),
        Verb::Ask(args) => ask::run(&args),
        Verb::Messages(args) => messages::run(&args),
        Verb::Remove(args) => remove::run(&args),
        Verb::Replay(args) => replay::run(&args),
        Verb::Model(args) => model::run(&args),
        Verb::Administrator(args) => model::administrator::run(&args),
        Verb::Ovs(args) => ovs::run(&args),
        Verb::Team(args) => team::run(&args),
    }
}
