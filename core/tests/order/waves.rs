//! Waves: what a driver is told enforces every edge, with no more barriers than the longest way needs; and the judge sees what is taken out.
use fencepost_core::waves::{Emitted, Enforced, Kind, Step, Unenforced, Unit, Waves};
use fencepost_core::{NodeId, Stage, Stages};
use proptest::collection::vec;
use proptest::prelude::*;

/// What happens to a planner.
#[derive(Clone, Debug)]
enum Call {
    /// A unit on a lane; predecessors by how far back they are.
    Place {
        lane: u32,
        kind: Kind,
        back: Vec<u64>,
    },
    /// Units as one command.
    Together {
        lane: u32,
        stages: Vec<(Stage, Vec<u64>)>,
    },
    Flush,
    /// The host sees a lane's timeline, at so many hundredths of what was submitted.
    Complete {
        lane: u32,
        hundredths: u64,
    },
    Retire,
}

fn calls(lanes: u32) -> impl Strategy<Value = Vec<Call>> {
    let stage = || prop_oneof![3 => Just(Stage::Dispatch), 2 => Just(Stage::Blit), 1 => Just(Stage::Vertex), 1 => Just(Stage::Fragment)];
    let back = || vec(1..12u64, 0..=3);
    let kind = prop_oneof![6 => stage().prop_map(Kind::Work), 2 => Just(Kind::Gate), 1 => Just(Kind::Point)];
    let call = prop_oneof![
        12 => (0..lanes, kind, back()).prop_map(|(lane, kind, back)| Call::Place { lane, kind, back }),
        1 => (0..lanes, vec((stage(), back()), 1..=4)).prop_map(|(lane, stages)| Call::Together { lane, stages }),
        2 => Just(Call::Flush),
        1 => (0..lanes, 0..=100u64).prop_map(|(lane, hundredths)| Call::Complete { lane, hundredths }),
        1 => Just(Call::Retire),
    ];
    vec(call, 1..150)
}

/// A planner beside its judge, and a model of the host.
struct Driven {
    waves: Waves,
    enforced: Enforced,
    emitted: Emitted,
    next: u64,
    /// Below it, nodes have been retired.
    retired: u64,
    submitted: Vec<u64>,
    complete: Vec<u64>,
    /// By node: the points that it needs, once they are known.
    needs: Vec<Option<Vec<(u32, u64)>>>,
    runs: usize,
    barriers: usize,
}

impl Driven {
    fn new(lanes: u32) -> Self {
        Self {
            waves: Waves::new(lanes),
            enforced: Enforced::new(lanes),
            emitted: Emitted::default(),
            next: 0,
            retired: 0,
            submitted: vec![0; lanes as usize],
            complete: vec![0; lanes as usize],
            needs: Vec::new(),
            runs: 0,
            barriers: 0,
        }
    }

    /// Predecessors that a release order allows: earlier ones that were not retired.
    fn predecessors(&self, of: u64, back: &[u64]) -> Vec<NodeId> {
        let earlier = back.iter().filter_map(|back| of.checked_sub(*back));
        earlier.filter(|node| *node >= self.retired).map(NodeId).collect()
    }

    fn place(&mut self, lane: u32, kind: Kind, predecessors: &[NodeId]) -> u64 {
        let node = self.next;
        let unit = Unit { node: NodeId(node), predecessors, lane, tag: node as u32, kind };
        self.waves.place(unit);
        self.enforced.note(&unit);
        self.needs.push(None);
        self.next += 1;
        node
    }

    fn place_together(&mut self, lane: u32, stages: &[(Stage, Vec<u64>)]) {
        let lists: Vec<_> =
            (self.next..).zip(stages).map(|(node, (_, back))| self.predecessors(node, back)).collect();
        let units: Vec<_> = (self.next..)
            .zip(stages)
            .zip(&lists)
            .map(|((node, (stage, _)), predecessors)| Unit {
                node: NodeId(node),
                predecessors,
                lane,
                tag: node as u32,
                kind: Kind::Work(*stage),
            })
            .collect();
        self.waves.place_together(&units);
        self.enforced.note_together(&units);
        self.next += units.len() as u64;
        self.needs.resize(self.next as usize, None);
    }

    fn flush(&mut self) -> Result<(), Unenforced> {
        self.waves.flush(&mut self.emitted);
        for segment in &self.emitted.segments {
            let submitted = &mut self.submitted[segment.lane as usize];
            assert_eq!(segment.point, *submitted + 1, "points grow by one");
            *submitted = segment.point;
            let steps = self.emitted.steps_of(segment);
            assert!(matches!(steps.last(), Some(Step::Run(_))), "a segment ends with work: {steps:?}");
            self.runs += steps.iter().filter(|step| matches!(step, Step::Run(_))).count();
            self.barriers += steps.iter().filter(|step| matches!(step, Step::Barrier { .. })).count();
        }
        for ended in &self.emitted.ended {
            assert!(self.needs[ended.tag as usize].replace(ended.needs.to_vec()).is_none(), "told once");
        }
        assert!(self.needs.iter().all(Option::is_some), "every unit is told of");
        self.enforced.check(&self.emitted)
    }

    fn complete(&mut self, lane: u32, point: u64) {
        let complete = &mut self.complete[lane as usize];
        *complete = (*complete).max(point);
        self.waves.completed(lane, *complete);
        self.enforced.completed(lane, *complete);
    }

    fn has_ended(&self, node: u64) -> bool {
        let needs = self.needs[node as usize].as_ref();
        needs.is_some_and(|needs| needs.iter().all(|(lane, point)| self.complete[*lane as usize] >= *point))
    }

    fn retire(&mut self) {
        while self.retired < self.next && self.has_ended(self.retired) {
            self.retired += 1;
        }
        self.waves.retire(NodeId(self.retired));
        self.enforced.retire(NodeId(self.retired));
    }

    fn call(&mut self, call: &Call) -> Result<(), Unenforced> {
        match call {
            Call::Place { lane, kind, back } => {
                let predecessors = self.predecessors(self.next, back);
                self.place(*lane, *kind, &predecessors);
            }
            Call::Together { lane, stages } => self.place_together(*lane, stages),
            Call::Flush => self.flush()?,
            Call::Complete { lane, hundredths } => {
                let point = self.submitted[*lane as usize] * hundredths / 100;
                self.complete(*lane, point);
            }
            Call::Retire => self.retire(),
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    /// Whatever is placed, completed and retired: every edge is enforced, every unit runs and is told of.
    #[test]
    fn every_edge_is_enforced(lanes in 1..4u32, all in calls(3)) {
        let mut driven = Driven::new(lanes);
        for call in &all {
            let call = match call.clone() {
                Call::Place { lane, kind, back } => Call::Place { lane: lane % lanes, kind, back },
                Call::Together { lane, stages } => Call::Together { lane: lane % lanes, stages },
                Call::Complete { lane, hundredths } => Call::Complete { lane: lane % lanes, hundredths },
                other => other,
            };
            driven.call(&call).map_err(|error| TestCaseError::fail(error.to_string()))?;
        }
        driven.flush().map_err(|error| TestCaseError::fail(error.to_string()))?;
        let work = all.iter().map(|call| match call {
            Call::Place { kind: Kind::Work(_), .. } | Call::Together { .. } => 1,
            _ => 0,
        });
        prop_assert_eq!(driven.runs, work.sum::<usize>());
    }

    /// On one lane, with one stage and in one segment, there is a barrier between two levels and nowhere else.
    #[test]
    fn barriers_are_as_many_as_the_longest_way_has_steps(all in vec(vec(1..12u64, 0..=3), 1..80)) {
        let mut driven = Driven::new(1);
        let mut levels: Vec<usize> = Vec::new();
        for back in &all {
            let predecessors = driven.predecessors(driven.next, back);
            levels.push(predecessors.iter().map(|node| levels[node.0 as usize] + 1).max().unwrap_or(0));
            driven.place(0, Kind::Work(Stage::Dispatch), &predecessors);
        }
        driven.flush().map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(driven.barriers, levels.into_iter().max().unwrap_or(0));
    }

    /// The judge sees a barrier or a wait that is taken out, unless the rest still enforces every edge; a plain closure over the steps says
    /// whether it does.
    #[test]
    fn what_is_taken_out_is_seen(all in calls(2), which in any::<prop::sample::Index>()) {
        let mut waves = Waves::new(2);
        let mut enforced = Enforced::new(2);
        let (mut edges, mut next) = (Vec::new(), 0u64);
        for call in &all {
            let Call::Place { lane, kind: Kind::Work(stage), back } = call else { continue };
            let predecessors: Vec<_> = back.iter().filter_map(|back| next.checked_sub(*back)).map(NodeId).collect();
            edges.extend(predecessors.iter().map(|from| (from.0 as u32, next as u32)));
            let kind = Kind::Work(*stage);
            let unit = Unit { node: NodeId(next), predecessors: &predecessors, lane: *lane, tag: next as u32, kind };
            waves.place(unit);
            enforced.note(&unit);
            next += 1;
        }
        let mut emitted = Emitted::default();
        waves.flush(&mut emitted);
        let stages = stages_of(&all);
        prop_assert!(closure_has(&emitted, &stages, &edges), "the whole of it is right");
        let barriers: Vec<_> = (0..emitted.steps.len()).filter(|at| matches!(emitted.steps[*at], Step::Barrier { .. })).collect();
        let waits: usize = emitted.segments.iter().map(|segment| segment.waits.len()).sum();
        if barriers.len() + waits == 0 {
            return Ok(());
        }
        let chosen = which.index(barriers.len() + waits);
        match barriers.get(chosen) {
            Some(at) => emitted.steps[*at] = Step::Barrier { after: Stages::empty(), before: Stages::empty() },
            None => {
                let mut left = chosen - barriers.len();
                for segment in &mut emitted.segments {
                    if left < segment.waits.len() {
                        segment.waits.remove(left);
                        break;
                    }
                    left -= segment.waits.len();
                }
            }
        }
        prop_assert_eq!(enforced.check(&emitted).is_ok(), closure_has(&emitted, &stages, &edges));
    }
}

fn cases() -> u32 {
    std::env::var("FENCEPOST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400)
}

fn stages_of(all: &[Call]) -> Vec<Stage> {
    let stage = |call: &Call| match call {
        Call::Place { kind: Kind::Work(stage), .. } => Some(*stage),
        _ => None,
    };
    all.iter().filter_map(stage).collect()
}

/// Whether the steps put every edge's ends in order: every pair that a barrier or a wait orders, closed over by force.
fn closure_has(emitted: &Emitted, stages: &[Stage], edges: &[(u32, u32)]) -> bool {
    // Where each step is: segment, place in it.
    let mut flat: Vec<(usize, Step)> = Vec::new();
    for (index, segment) in emitted.segments.iter().enumerate() {
        flat.extend(emitted.steps_of(segment).iter().map(|step| (index, *step)));
    }
    let count = stages.len();
    let mut ordered = vec![vec![false; count]; count];
    let lane = |segment: usize| emitted.segments[segment].lane;
    for (at, (segment, step)) in flat.iter().enumerate() {
        let Step::Barrier { after, before } = step else { continue };
        let runs = |part: &[(usize, Step)], stages_named: Stages| -> Vec<usize> {
            let of_lane = part.iter().filter(|(other, _)| lane(*other) == lane(*segment));
            let runs = of_lane
                .filter_map(|(_, step)| if let Step::Run(tag) = step { Some(*tag as usize) } else { None });
            runs.filter(|tag| stages_named.contains(stages[*tag].mask())).collect()
        };
        for from in runs(&flat[..at], *after) {
            for to in runs(&flat[at..], *before) {
                ordered[from][to] = true;
            }
        }
    }
    for (waiting, segment) in emitted.segments.iter().enumerate() {
        for (theirs, point) in &segment.waits {
            for (from_segment, from) in &flat {
                let Step::Run(from) = from else { continue };
                let source = &emitted.segments[*from_segment];
                if source.lane != *theirs || source.point > *point {
                    continue;
                }
                for (to_segment, to) in &flat {
                    if let Step::Run(to) = to
                        && lane(*to_segment) == segment.lane
                        && *to_segment >= waiting
                    {
                        ordered[*from as usize][*to as usize] = true;
                    }
                }
            }
        }
    }
    for middle in 0..count {
        for from in 0..count {
            if ordered[from][middle] {
                let onward = ordered[middle].clone();
                ordered[from].iter_mut().zip(onward).for_each(|(one, other)| *one |= other);
            }
        }
    }
    edges.iter().all(|(from, to)| ordered[*from as usize][*to as usize])
}

/// Chains recorded one behind the other run side by side: 32 chains of 32 need 31 barriers and not 992.
#[test]
fn chains_run_side_by_side() {
    let mut driven = Driven::new(1);
    for _ in 0..32 {
        for step in 0..32 {
            let predecessors = if step == 0 { vec![] } else { vec![NodeId(driven.next - 1)] };
            driven.place(0, Kind::Work(Stage::Dispatch), &predecessors);
        }
    }
    driven.flush().unwrap();
    assert_eq!((driven.runs, driven.barriers, driven.emitted.segments.len()), (1024, 31, 1));
}

/// Work that depends on nothing in flight starts beside the tail of the segment before; work that does stands behind one barrier.
#[test]
fn a_segment_starts_without_a_barrier() {
    let mut driven = Driven::new(1);
    let first = driven.place(0, Kind::Work(Stage::Dispatch), &[]);
    driven.flush().unwrap();
    driven.place(0, Kind::Work(Stage::Blit), &[NodeId(first)]);
    driven.place(0, Kind::Work(Stage::Dispatch), &[]);
    driven.flush().unwrap();
    let barrier = Step::Barrier { after: Stages::DISPATCH, before: Stages::BLIT };
    assert_eq!(driven.emitted.steps, [Step::Run(2), barrier, Step::Run(1)]);
    // The same edge again: the barrier that was is enough.
    driven.place(0, Kind::Work(Stage::Blit), &[NodeId(first)]);
    driven.flush().unwrap();
    assert_eq!(driven.emitted.steps, [Step::Run(3)]);
}

/// What depends on another lane waits for its point; what was recorded before it on its own lane does not.
#[test]
fn only_what_depends_on_another_lane_waits() {
    let mut driven = Driven::new(2);
    let far = driven.place(1, Kind::Work(Stage::Blit), &[]);
    driven.place(0, Kind::Work(Stage::Dispatch), &[]);
    driven.place(0, Kind::Work(Stage::Dispatch), &[NodeId(far)]);
    driven.flush().unwrap();
    let waits: Vec<_> = driven.emitted.segments.iter().map(|s| (s.lane, s.point, s.waits.to_vec())).collect();
    assert_eq!(waits, [(1, 1, vec![]), (0, 1, vec![]), (0, 2, vec![(1, 1)])]);
}

/// A point closes what it stands behind: the host sees it before what comes later.
#[test]
fn a_point_is_seen_by_itself() {
    let mut driven = Driven::new(1);
    let work = driven.place(0, Kind::Work(Stage::Dispatch), &[]);
    let point = driven.place(0, Kind::Point, &[NodeId(work)]);
    driven.place(0, Kind::Work(Stage::Dispatch), &[NodeId(point)]);
    driven.flush().unwrap();
    assert_eq!(driven.emitted.segments.len(), 2);
    assert_eq!(driven.needs[point as usize].as_deref(), Some(&[(0, 1)][..]));
}

/// What the host has seen needs no barrier, and is waited for all the same.
#[test]
fn complete_work_is_waited_for_without_a_barrier() {
    let mut driven = Driven::new(1);
    let first = driven.place(0, Kind::Work(Stage::Dispatch), &[]);
    driven.flush().unwrap();
    driven.complete(0, 1);
    driven.place(0, Kind::Work(Stage::Dispatch), &[NodeId(first)]);
    driven.flush().unwrap();
    assert_eq!(driven.barriers, 0);
    assert_eq!(driven.emitted.segments[0].waits.to_vec(), [(0, 1)]);
}

/// The judge names the edge, the work that is lost and the wait that comes too soon.
#[test]
fn the_judge_names_what_is_wrong() {
    let judged = |change: fn(&mut Emitted)| {
        let (mut waves, mut enforced) = (Waves::new(2), Enforced::new(2));
        for (node, lane, predecessors) in [(0, 0, &[][..]), (1, 0, &[NodeId(0)]), (2, 1, &[NodeId(1)])] {
            let kind = Kind::Work(Stage::Dispatch);
            let unit = Unit { node: NodeId(node), predecessors, lane, tag: node as u32, kind };
            waves.place(unit);
            enforced.note(&unit);
        }
        let mut emitted = Emitted::default();
        waves.flush(&mut emitted);
        change(&mut emitted);
        enforced.check(&emitted)
    };
    assert_eq!(judged(|_| ()), Ok(()));
    let edge = |node, predecessor, lane| {
        Err(Unenforced::Edge { node: NodeId(node), predecessor: NodeId(predecessor), lane })
    };
    assert_eq!(
        judged(|emitted| emitted.steps[1] = Step::Barrier { after: Stages::BLIT, before: Stages::ALL }),
        edge(1, 0, 0)
    );
    assert_eq!(judged(|emitted| emitted.segments[1].waits.clear()), edge(2, 1, 1));
    assert_eq!(judged(|emitted| emitted.segments[1].steps.end -= 1), Err(Unenforced::Lost(NodeId(2))));
    assert_eq!(
        judged(|emitted| emitted.steps[0] = Step::Run(7)),
        Err(Unenforced::Unknown { lane: 0, tag: 7 })
    );
    assert_eq!(
        judged(|emitted| emitted.segments.swap(0, 1)),
        Err(Unenforced::Ahead { lane: 1, wait: (0, 1) })
    );
}
