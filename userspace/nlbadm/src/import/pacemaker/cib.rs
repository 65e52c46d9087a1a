// SPDX-License-Identifier: GPL-2.0-only

//! The configuration as XML: `pcs cluster cib`, `cibadmin -Q`, `crm configure show xml`.

use roxmltree::{Document, Node as Element, ParsingOptions};

use super::{Cloned, Constraint, Group, Node, Pair, Primitive, Resources};

/// More elements than any configuration has.
const ELEMENTS_MAX: u32 = 200_000;

pub(super) fn parse(text: &str) -> Result<Resources, String> {
    let options = ParsingOptions {
        nodes_limit: ELEMENTS_MAX,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options)
        .map_err(|error| format!("line {}: this is no XML: {error}", error.pos().row))?;
    let mut resources = Resources::default();
    for element in document.descendants().filter(Element::is_element) {
        read(&mut resources, element);
    }
    Ok(resources)
}

fn attribute(element: Element<'_, '_>, name: &str) -> String {
    element.attribute(name).unwrap_or_default().to_owned()
}

fn line(element: Element<'_, '_>) -> usize {
    let position = element.document().text_pos_at(element.range().start);
    usize::try_from(position.row).unwrap_or(usize::MAX)
}

fn read(resources: &mut Resources, element: Element<'_, '_>) {
    let id = attribute(element, "id");
    match element.tag_name().name() {
        // There are elements of that name elsewhere, which have no uname.
        "node" if element.has_attribute("uname") => resources.nodes.push(Node {
            id: id.parse().ok(),
            name: attribute(element, "uname"),
        }),
        "nvpair" if element.attribute("name") == Some("cluster-name") => {
            resources.name = Some(attribute(element, "value"));
        }
        "primitive" => resources.primitives.push(Primitive {
            line: line(element),
            id,
            agent: agent(element),
            parameters: pairs(element, "instance_attributes"),
        }),
        "clone" => {
            let is_member =
                |child: &Element<'_, '_>| matches!(child.tag_name().name(), "primitive" | "group");
            let member = element.children().find(is_member);
            resources.clones.push(Cloned {
                line: line(element),
                id,
                member: member.map_or_else(String::new, |member| attribute(member, "id")),
                meta: pairs(element, "meta_attributes"),
            });
        }
        "group" => resources.groups.push(Group {
            id,
            members: element
                .children()
                .filter(|child| child.has_tag_name("primitive"))
                .map(|child| attribute(child, "id"))
                .collect(),
        }),
        kind @ ("rsc_location" | "rsc_colocation" | "rsc_order") => {
            let references = element
                .descendants()
                .filter(|it| it.has_tag_name("resource_ref"));
            let about = ["rsc", "with-rsc", "first", "then"]
                .iter()
                .filter_map(|name| element.attribute(*name))
                .chain(references.filter_map(|it| it.attribute("id")));
            resources.constraints.push(Constraint {
                line: line(element),
                id,
                kind: kind.trim_start_matches("rsc_").to_owned(),
                about: about.map(str::to_owned).collect(),
            });
        }
        _ => {}
    }
}

/// `ocf:heartbeat:IPaddr2`
fn agent(element: Element<'_, '_>) -> String {
    let parts = ["class", "provider", "type"];
    let parts: Vec<_> = parts
        .iter()
        .filter_map(|part| element.attribute(*part))
        .collect();
    parts.join(":")
}

/// The name-value pairs in a set of them.
fn pairs(element: Element<'_, '_>, set: &str) -> Vec<Pair> {
    element
        .children()
        .filter(|child| child.has_tag_name(set))
        .flat_map(|set| set.children())
        .filter(|child| child.has_tag_name("nvpair"))
        .map(|pair| Pair {
            line: line(pair),
            key: attribute(pair, "name"),
            value: attribute(pair, "value"),
        })
        .collect()
}
