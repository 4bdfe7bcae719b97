//! The search: breadth first, so that a counterexample is as short as any.

use std::collections::{BTreeMap, VecDeque};

use super::Scope;
use super::cluster::{Cluster, Ground};
use super::step::Step;

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// How many states there are, as far as they were looked at.
    pub states: usize,
    /// Whether all were.
    pub is_complete: bool,
    /// What does not hold, and the steps that lead there.
    pub counterexample: Option<(String, Vec<String>)>,
}

/// The states that were met, and the ways between them.
#[derive(Default)]
struct Graph {
    /// The number of each state, by its fingerprint.
    numbers: BTreeMap<u128, u32>,
    /// From where each state was first met, and by which step.
    parents: Vec<(u32, Option<Step>)>,
    /// All ways, backwards: to, from.
    ways: Vec<(u32, u32)>,
    /// Where everything is as it should be.
    goals: Vec<u32>,
}

/// Looks at every state that can be reached.
pub fn explore(scope: &Scope) -> Checked {
    let ground = Ground::new(scope);
    let (mut graph, mut queue) = (Graph::default(), VecDeque::new());
    let first = Cluster::new(&ground);
    graph.meet(&first, 0, None);
    queue.push_back((0, first));
    while let Some((number, cluster)) = queue.pop_front() {
        if cluster.wish + 1 == scope.shards.len() && cluster.is_at_wish(&ground) {
            graph.goals.push(number);
        }
        for step in cluster.steps(&ground) {
            let mut next = cluster.clone();
            if let Err(broken) = next.take(step, &ground) {
                return graph.counterexample(broken, number, Some(step));
            }
            if let Some(new) = graph.meet(&next, number, Some(step)) {
                queue.push_back((new, next));
            }
        }
        if graph.parents.len() > scope.states_max {
            return Checked { states: graph.parents.len(), is_complete: false, counterexample: None };
        }
    }
    match graph.dead_end() {
        Some(state) => graph.counterexample("progress: no way leads to the end from here".to_owned(), state, None),
        None => Checked { states: graph.parents.len(), is_complete: true, counterexample: None },
    }
}

impl Graph {
    /// Notes a way to a state; its number, where it is new.
    fn meet(&mut self, cluster: &Cluster, from: u32, step: Option<Step>) -> Option<u32> {
        let new = self.parents.len() as u32;
        let number = *self.numbers.entry(cluster.fingerprint()).or_insert(new);
        self.ways.push((number, from));
        (number == new).then(|| {
            self.parents.push((from, step));
            new
        })
    }

    /// The first state from which no goal can be reached.
    fn dead_end(&mut self) -> Option<u32> {
        self.ways.sort_unstable();
        self.ways.dedup();
        let mut reaches = vec![false; self.parents.len()];
        let mut found = self.goals.clone();
        while let Some(state) = found.pop() {
            if !std::mem::replace(&mut reaches[state as usize], true) {
                let begin = self.ways.partition_point(|(to, _)| *to < state);
                let ways = self.ways[begin..].iter().take_while(|(to, _)| *to == state);
                found.extend(ways.map(|(_, from)| *from).filter(|from| !reaches[*from as usize]));
            }
        }
        reaches.iter().position(|reaches| !reaches).map(|state| state as u32)
    }

    fn counterexample(&self, broken: String, mut state: u32, last: Option<Step>) -> Checked {
        let mut steps: Vec<String> = last.iter().map(|step| format!("{step:?}")).collect();
        while let (from, Some(step)) = self.parents[state as usize] {
            steps.push(format!("{step:?}"));
            state = from;
        }
        steps.reverse();
        Checked { states: self.parents.len(), is_complete: false, counterexample: Some((broken, steps)) }
    }
}
