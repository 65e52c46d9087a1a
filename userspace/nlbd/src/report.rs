// SPDX-License-Identifier: GPL-2.0-only

//! What nlbd tells of its checks.

use std::time::SystemTime;

use nlbadm::daemon::CheckShape;

use crate::{
    host::{Host, Watch},
    kernel::Kernel,
    probe,
    target::Coverage,
};

/// All checks, in the order of the files.
pub(crate) fn checks(host: &Host<impl Kernel>) -> Vec<CheckShape> {
    host.watches()
        .iter()
        .map(|watch| check(host, watch))
        .collect()
}

fn check(host: &Host<impl Kernel>, watch: &Watch) -> CheckShape {
    let (given_up, note) = host.stands(watch);
    let (message, checked) = match &watch.last {
        Some((answer, at)) => (Some(answer.text.clone()), Some(time(*at))),
        None => (None, None),
    };
    CheckShape {
        cluster: watch.cluster.clone(),
        rule: Coverage::from(&watch.check.rule).to_string(),
        check: probe::describe(&watch.check.check.probe),
        state: watch.health.state().name().into(),
        since: time(watch.since),
        message,
        checked,
        answers: watch.answers,
        action: watch.check.check.action.name().into(),
        given_up,
        note: Some(note.to_owned()).filter(|note| !note.is_empty()),
    }
}

/// RFC 3339, UTC.
pub(crate) fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}
