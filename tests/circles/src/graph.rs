//! Circles of a directed graph.

use std::collections::{BTreeMap, BTreeSet};

/// Where each node leads to.
pub type Edges<'a, N> = BTreeMap<&'a N, BTreeSet<&'a N>>;

/// The sets of nodes that all reach each other, those of one node left out.
pub fn circles<'a, N: Ord>(edges: &Edges<'a, N>) -> Vec<Vec<&'a N>> {
    let reach: BTreeMap<&N, BTreeSet<&'a N>> = edges
        .keys()
        .map(|node| (*node, reachable(edges, node)))
        .collect();
    let mut seen: BTreeSet<&N> = BTreeSet::new();
    let mut circles = Vec::new();
    for (node, reached) in &reach {
        let back = |other: &&&'a N| reach.get(**other).is_some_and(|from| from.contains(node));
        let circle: Vec<&N> = reached.iter().filter(back).copied().collect();
        if circle.len() > 1 && seen.insert(node) {
            seen.extend(circle.iter().copied());
            circles.push(circle);
        }
    }
    circles
}

/// Every node that can be reached, the first one only over others.
fn reachable<'a, N: Ord>(edges: &Edges<'a, N>, from: &N) -> BTreeSet<&'a N> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&N> = edges.get(from).into_iter().flatten().copied().collect();
    while let Some(node) = open.pop() {
        if reached.insert(node) {
            open.extend(edges.get(node).into_iter().flatten().copied());
        }
    }
    reached
}
