//! A queue's scopes: for every stage, what later items hang on, and what "everything so far" is.
//!
//! A barrier's scopes are positions, not items: "stage A of all earlier passes", "stage B of all that follows".
//! Keeping lists of items for each would cost a barrier as much as all that came before it. So a scope is kept as
//!
//! * *holds*, per stage: the few handles that a later item of the stage waits for. The queue has holds for all that
//!   follows, the pass has its own for barriers that end with it;
//! * *prefixes*, per stage: one gate for all that came before, made when the first barrier asks for it, then
//!   chained: the next prefix follows the last one and what is new. An item enters one prefix of its pass and one
//!   of its queue, so edges stay proportional to items plus barriers × stages.
//!
//! A hold enters the next prefix as an item would. That is what joins two primitives whose scopes meet where no
//! command lies.
use core::ops::Range;

use smallvec::SmallVec;

use super::graph::Graph;
use super::link::{Handle, Reach};
use crate::{Access, FenceId, NodeId, PassId, Stage, Stages};

/// Handles that later items of a stage wait for.
#[derive(Clone, Debug, Default)]
pub(super) struct Holds(Vec<Hold>);

/// One of them, with what it covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) handle: Handle,
    /// A later hold of the same class whose stages contain these waits for all that this one waits for.
    pub(super) after: u16,
    /// What the primitive makes visible; a gate's handle does not say.
    pub(super) reach: Reach,
    pub(super) class: Class,
}

/// Whose first scopes grow from one to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Barriers, each of which covers what earlier ones of the same list cover.
    Barrier,
    /// Fence waits, and barriers that show only some resources: never covered.
    Alone,
}

/// What a queue knows of one stage.
#[derive(Clone, Debug, Default)]
pub(super) struct StageScope {
    /// Of all later items.
    pub(super) holds: Holds,
    /// All in passes that have ended, up to some pass.
    prefix: Option<Handle>,
    /// What ended passes have added since.
    pending: Vec<Handle>,
    /// Beyond this many, `pending` is searched for what has completed.
    pending_limit: usize,
    /// The queue's wait that `prefix` contains.
    prefix_wait: Option<NodeId>,
    /// Producer barriers of the open pass: holds from its end on.
    arriving: SmallVec<[Hold; 1]>,
    /// Holds that cover the open pass and no earlier one.
    fresh: Vec<Handle>,
    /// Of the open pass.
    pass: PassScope,
}

/// What the open pass knows of one stage.
#[derive(Clone, Debug, Default)]
pub(super) struct PassScope {
    pub(super) holds: Holds,
    prefix: Option<Handle>,
    pending: Vec<Handle>,
    /// An item like which later ones may be, if nothing has come in between: whoever waits for one waits for all.
    crowd: Option<NodeId>,
    /// An item of this stage stands in the pass: what held the stage when the pass began is before it.
    has_item: bool,
}

/// A queue of an engine.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pub(super) tracked: bool,
    pub(super) pass: PassId,
    pub(super) open: bool,
    pub(super) serial: bool,
    /// The items of the serial pass's last command, whose names follow each other.
    pub(super) last: Range<u64>,
    pub(super) declared: Vec<Access>,
    /// Fence waits of the open pass: how many updates each joined, and the stages it holds.
    pub(super) waits: Vec<(FenceId, u64, u16)>,
    /// Fences that the open pass updates after a wait: earlier updates that the new one covers.
    pub(super) covers: Vec<(FenceId, u64)>,
    /// What everything later waits for, whatever its stage.
    pub(super) wait: Option<Handle>,
    /// `wait` as the last ended pass had it.
    wait_before: Option<Handle>,
    scopes: [StageScope; Stage::COUNT],
    /// Stages with anything in the open pass.
    touched: u16,
    /// Stages with holds that began with the open pass: they enter the prefix at its end.
    fresh: u16,
    /// Stages with holds that begin when the open pass ends.
    arriving: u16,
    /// Stages with anything on the queue.
    used: u16,
}

impl Queue {
    pub(super) fn new(tracked: bool) -> Self {
        Self {
            tracked,
            pass: PassId(0),
            open: false,
            serial: false,
            last: 0..0,
            declared: Vec::new(),
            waits: Vec::new(),
            covers: Vec::new(),
            wait: None,
            wait_before: None,
            scopes: Default::default(),
            touched: 0,
            fresh: 0,
            arriving: 0,
            used: 0,
        }
    }

    pub(super) fn begin_pass(&mut self, pass: PassId, serial: bool) {
        self.pass = pass;
        self.open = true;
        self.serial = serial;
        self.last = 0..0;
        self.declared.clear();
        self.waits.clear();
        self.covers.clear();
    }

    /// What the open pass added becomes part of what came before.
    pub(super) fn end_pass(&mut self, graph: &mut Graph) {
        self.open = false;
        self.wait_before = self.wait;
        for stage in each(self.touched | self.fresh) {
            self.scopes[stage].end_pass(graph);
        }
        for stage in each(self.arriving) {
            let scope = &mut self.scopes[stage];
            for hold in std::mem::take(&mut scope.arriving) {
                scope.fresh.push(hold.handle);
                scope.holds.push(hold, graph);
            }
        }
        self.fresh = std::mem::take(&mut self.arriving);
        self.touched = 0;
    }

    /// What an item of the stage waits for by its place on the queue and in the pass.
    pub(super) fn hold_item(&self, stage: Stage, edges: &mut Vec<Handle>) {
        let scope = &self.scopes[stage.index()];
        if let Some(wait) = self.wait {
            edges.push(wait);
        }
        for hold in scope.holds.0.iter().chain(&scope.pass.holds.0) {
            edges.push(hold.handle);
        }
    }

    /// The first item of the command that was like one of these stages would be, if nothing has come in between.
    pub(super) fn crowd(&self, stages: Stages) -> Option<NodeId> {
        let mut first = None;
        for (stage, number) in stages.iter_stages().zip(0..) {
            let pass = &self.scopes[stage.index()].pass;
            let last = pass.pending.last().filter(|last| last.is_plain() && Some(last.node) == pass.crowd)?;
            if *first.get_or_insert(last.node) != NodeId(last.node.0.checked_sub(number)?) {
                return None;
            }
        }
        first
    }

    /// An item takes its place in the pass. `open` says that others may be like it.
    pub(super) fn add_item(&mut self, stage: Stage, node: NodeId, open: bool) {
        self.touch(stage.mask().dense());
        let pass = &mut self.scopes[stage.index()].pass;
        if self.serial {
            // A later item of a serial pass follows all earlier ones, which it stands for.
            pass.pending.clear();
            pass.prefix = None;
        }
        pass.pending.push(Handle::plain(node));
        pass.crowd = open.then_some(node);
        pass.has_item = true;
    }

    /// Later items of these stages of the open pass wait for this.
    pub(super) fn hold_pass(&mut self, before: Stages, hold: Hold, graph: &mut Graph) {
        self.touch(before.dense());
        for stage in before.iter_stages() {
            let pass = &mut self.scopes[stage.index()].pass;
            pass.holds.push(hold, graph);
            pass.pending.push(hold.handle);
        }
    }

    /// Later items of these stages, of the open pass and of all later ones, wait for this.
    pub(super) fn hold_from_here(&mut self, before: Stages, hold: Hold, graph: &mut Graph) {
        self.touch(before.dense());
        for stage in before.iter_stages() {
            let scope = &mut self.scopes[stage.index()];
            scope.holds.push(hold, graph);
            scope.pass.pending.push(hold.handle);
        }
    }

    /// Items of these stages of all later passes wait for this.
    pub(super) fn hold_later_passes(&mut self, before: Stages, hold: Hold) {
        self.used |= before.dense();
        self.arriving |= before.dense();
        for stage in before.iter_stages() {
            self.scopes[stage.index()].arriving.push(hold);
        }
    }

    /// Adds all of these stages in the passes that have ended.
    pub(super) fn earlier_passes(&mut self, after: Stages, graph: &mut Graph, edges: &mut Vec<Handle>) {
        for stage in after.iter_stages() {
            let wait = self.wait_before.filter(|wait| graph.is_live(wait.node));
            if self.used & stage.mask().dense() != 0 {
                self.scopes[stage.index()].earlier_passes(wait, graph);
                edges.extend(self.scopes[stage.index()].prefix);
            } else {
                edges.extend(wait);
            }
        }
    }

    /// Adds all of these stages so far in the open pass, with what it holds them for.
    pub(super) fn this_pass(&mut self, after: Stages, graph: &mut Graph, edges: &mut Vec<Handle>) {
        let wait = self.wait;
        for stage in after.iter_stages() {
            if self.used & stage.mask().dense() != 0 {
                self.touched |= stage.mask().dense();
                self.scopes[stage.index()].this_pass(wait, graph);
                edges.extend(self.scopes[stage.index()].pass.prefix);
            } else {
                edges.extend(wait);
            }
        }
    }

    /// Long lists of what has ended become gates, for who judges and never sees anything complete.
    pub(super) fn gather_long(&mut self, graph: &mut Graph) {
        let wait = self.wait_before;
        for scope in self.scopes.iter_mut().filter(|scope| scope.pending.len() > PENDING_MOST) {
            scope.earlier_passes(wait, graph);
        }
    }

    /// Every node that later ones may follow.
    pub(super) fn each_node(&self, mut each: impl FnMut(NodeId)) {
        let mut handle = |handle: &Handle| each(handle.node);
        self.wait.iter().chain(&self.wait_before).for_each(&mut handle);
        for scope in &self.scopes {
            let pass = &scope.pass;
            let holds = scope.holds.0.iter().chain(&scope.arriving).chain(&pass.holds.0);
            holds.for_each(|hold| handle(&hold.handle));
            let lists = scope.pending.iter().chain(&scope.fresh).chain(&pass.pending);
            lists.chain(&scope.prefix).chain(&pass.prefix).for_each(&mut handle);
        }
    }

    /// How many handles and declarations it holds.
    pub(super) fn records(&self) -> usize {
        let scope = |scope: &StageScope| {
            let pass = scope.pass.pending.len() + scope.pass.holds.0.len();
            scope.pending.len() + scope.holds.0.len() + scope.arriving.len() + scope.fresh.len() + pass
        };
        self.scopes.iter().map(scope).sum::<usize>()
            + self.declared.len()
            + self.waits.len()
            + (self.last.end - self.last.start) as usize
    }

    fn touch(&mut self, stages: u16) {
        self.touched |= stages;
        self.used |= stages;
    }
}

impl StageScope {
    fn end_pass(&mut self, graph: &Graph) {
        let pass = &mut self.pass;
        if let Some(prefix) = pass.prefix.take() {
            self.pending.push(prefix);
        }
        for handle in &pass.pending {
            self.pending.push(*handle);
        }
        pass.pending.clear();
        for handle in &self.fresh {
            self.pending.push(*handle);
        }
        self.fresh.clear();
        pass.holds.0.clear();
        pass.has_item = false;
        self.drop_completed(graph);
    }

    /// Brings `prefix` up to the end of the last pass.
    fn earlier_passes(&mut self, wait: Option<Handle>, graph: &mut Graph) {
        let new_wait = wait.filter(|wait| Some(wait.node) != self.prefix_wait);
        if self.pending.is_empty() && new_wait.is_none() {
            return;
        }
        // In front, being older: edges are sorted by age, and a sorted list costs least.
        self.pending.splice(0..0, new_wait);
        self.pending.splice(0..0, self.prefix);
        self.prefix_wait = wait.map(|wait| wait.node);
        self.prefix = graph.gather(&mut self.pending, Reach::NONE, None);
    }

    /// Brings the pass's prefix up to here.
    fn this_pass(&mut self, wait: Option<Handle>, graph: &mut Graph) {
        let pass = &mut self.pass;
        if pass.prefix.is_none() && !pass.has_item {
            // Asked for the first time: what held the pass from its beginning belongs to it.
            pass.pending.extend(wait);
            pass.pending.extend(self.holds.handles());
        } else if pass.pending.is_empty() {
            return;
        }
        pass.pending.splice(0..0, pass.prefix);
        pass.prefix = graph.gather(&mut pass.pending, Reach::NONE, None);
    }

    /// A queue that never meets a barrier must not remember all it has ever run.
    fn drop_completed(&mut self, graph: &Graph) {
        if self.pending.len() > self.pending_limit {
            self.pending.retain(|handle| graph.is_live(handle.node));
            self.pending_limit = (self.pending.len() * 2).max(PENDING_LEAST);
        }
    }
}

impl Holds {
    fn push(&mut self, hold: Hold, graph: &mut Graph) {
        let covered = |old: &Hold| {
            hold.class == Class::Barrier
                && old.class == Class::Barrier
                && old.after & hold.after == old.after
                && hold.reach.contains(old.reach)
        };
        self.0.retain(|old| graph.is_live(old.handle.node) && !covered(old));
        self.0.push(hold);
        if self.0.len() > HOLDS_MOST {
            let mut all = self.handles().collect();
            let handle = graph.gate(&mut all, Reach::NONE, None);
            self.0.clear();
            self.0.push(Hold { handle, after: 0, reach: Reach::NONE, class: Class::Alone });
        }
    }

    fn handles(&self) -> impl Iterator<Item = Handle> {
        self.0.iter().map(|hold| hold.handle)
    }
}

/// The set bits of a stage set.
fn each(mut set: u16) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let stage = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (stage < Stage::COUNT).then_some(stage)
    })
}

const HOLDS_MOST: usize = 4;
const PENDING_LEAST: usize = 64;
/// Beyond this many, what has ended is gathered when an engine that judges is swept.
const PENDING_MOST: usize = 16;
