//! Synchronization without which every conflict that is ordered stays so.
//!
//! Of two that do the same work, either is redundant, and both together are not. So they are taken away one after the other,
//! each from what the ones before have left: the widest first, the later one first among equals, signals when the waits for them
//! are gone. What is taken away in this manner may all be taken away at once.
use std::cmp::Reverse;
use std::collections::HashSet;

use super::reach::Places;
use super::scope::{Role, Site};
use super::weigh::Weighed;
use crate::program::{Locus, UnknownName};
use crate::validate::{Finding, Kind, Redundant, Spot};
use crate::{NodeId, Order};

/// Everything that may be taken away together.
///
/// # Errors
/// The program names something that it does not declare.
pub(super) fn find(weighed: &Weighed<'_>) -> Result<HashSet<Locus>, UnknownName> {
    let mut sites: Vec<(usize, &Site)> = weighed.sites.iter().enumerate().collect();
    sites.sort_by_key(|(place, site)| {
        (matches!(site.role, Role::Signal(..)), Reverse(site.scope), Reverse(*place))
    });
    let mut without = HashSet::new();
    for (_, site) in sites {
        without.insert(site.locus);
        if !weighed.trial(weighed.program, &without)?.is_none() {
            without.remove(&site.locus);
        }
    }
    Ok(without)
}

/// Whether a place may be taken away by itself; nothing where it is no synchronization that is played.
///
/// # Errors
/// The program names something that it does not declare.
pub(super) fn alone(weighed: &Weighed<'_>, locus: Locus) -> Result<Option<bool>, UnknownName> {
    if !weighed.sites.iter().any(|site| site.locus == locus) {
        return Ok(None);
    }
    Ok(Some(weighed.trial(weighed.program, &HashSet::from([locus]))?.is_none()))
}

/// What has been found, in words of data. `order` is that without what has been found.
pub(super) fn findings(weighed: &Weighed<'_>, without: &HashSet<Locus>, order: &Order) -> Vec<Finding> {
    let places = Places::of(weighed.program, weighed.order);
    let found = weighed.sites.iter().filter(|site| without.contains(&site.locus));
    found.map(|site| finding(weighed, &places, site, order)).collect()
}

fn finding(weighed: &Weighed<'_>, places: &Places<'_>, site: &Site, order: &Order) -> Finding {
    let reason = match site.role {
        Role::Copies => Redundant::CopiesAgree,
        _ => otherwise(weighed, places, site, order).unwrap_or(Redundant::NoConflict),
    };
    Finding {
        kind: Kind::Redundant(reason),
        first: None,
        second: Some(Spot::At(site.locus)),
        resource: None,
        extent: None,
    }
}

/// A conflict that the synchronization orders, and what orders it without.
fn otherwise(weighed: &Weighed<'_>, places: &Places<'_>, site: &Site, order: &Order) -> Option<Redundant> {
    let conflict =
        weighed.conflicts.kept.iter().find(|conflict| places.orders(weighed.order, site.locus, conflict))?;
    let node = |end: &crate::validate::conflicts::End| -> Option<NodeId> { end.node(order) };
    let hops = order.why(node(&conflict.first)?, node(&conflict.second)?)?;
    let mut by: Vec<Locus> = Vec::new();
    for hop in hops {
        let made = order.locus(hop.link.site).filter(|locus| {
            *locus != conflict.first.locus && *locus != conflict.second.locus && !by.contains(locus)
        });
        by.extend(made);
    }
    Some(Redundant::Ordered { first: conflict.first.locus, second: conflict.second.locus, by })
}
