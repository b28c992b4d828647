//! Where in a program something stands, as data and as the label path that people write.
use super::{BufferItem, CommandBufferIndex, Pass, PassItem, Program, Step};
use crate::Stage;

/// A place in a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Locus {
    /// An item of a pass: a command, a synchronization, a declaration.
    PassItem {
        /// The command buffer.
        buffer: CommandBufferIndex,
        /// The pass, by its place in the command buffer.
        pass: u32,
        /// The place in the pass.
        item: u32,
    },
    /// The attachments of a render pass without draws: what it loads, clears and stores is the work of the pass itself
    /// (see [`Pass::attachments_at`]).
    Pass {
        /// The command buffer.
        buffer: CommandBufferIndex,
        /// The pass, by its place in the command buffer.
        pass: u32,
    },
    /// An event operation in a command buffer.
    Event {
        /// The command buffer.
        buffer: CommandBufferIndex,
        /// The place in the command buffer.
        item: u32,
    },
    /// A step of the CPU, by its number in document order, bodies of threads and notifications included.
    Step(u32),
}

/// The place and the stage of a path that names one stage of a command, `PASS.LABEL:stage`.
///
/// ```
/// use fencepost_core::Stage;
/// use fencepost_core::program::split_stage;
/// assert_eq!(split_stage("R1.d1:vertex"), Some(("R1.d1", Stage::Vertex)));
/// assert_eq!(split_stage("R1.d1"), None);
/// ```
pub fn split_stage(path: &str) -> Option<(&str, Stage)> {
    let (place, name) = path.rsplit_once(':')?;
    Some((place, Stage::EACH.into_iter().find(|stage| stage.name() == name)?))
}

impl Program {
    /// Every step of the document in order: that of `Locus::Step(n)` is the `n`-th.
    pub fn all_steps(&self) -> Vec<&Step> {
        fn add<'a>(steps: &'a [Step], all: &mut Vec<&'a Step>) {
            for step in steps {
                all.push(step);
                if let Step::Thread { body, .. } | Step::Notify { body, .. } = step {
                    add(body, all);
                }
            }
        }
        let mut all = Vec::new();
        add(&self.steps, &mut all);
        all
    }

    /// The pass at a place of a command buffer.
    pub fn pass(&self, buffer: CommandBufferIndex, pass: u32) -> Option<&Pass> {
        match self.command_buffers.get(buffer.index())?.items.get(pass as usize)? {
            BufferItem::Pass(pass) => Some(pass),
            BufferItem::Event(_) => None,
        }
    }

    /// The places that a label path names: `PASS.LABEL` or `BUFFER.PASS.LABEL` in a pass, `PASS` for the attachments of a
    /// render pass without draws, `BUFFER.LABEL` for an event operation in a command buffer, `LABEL` for one on a queue.
    /// More than one where labels repeat.
    ///
    /// ```
    /// use fencepost_core::program::{Locus, Program, QueueMode};
    /// let mut p = Program::builder();
    /// let q = p.queue("q", QueueMode::Tracked);
    /// let a = p.buffer("A", 64);
    /// let e = p.event("E");
    /// let buffer = p.command_buffer("cb", q, |items| {
    ///     items.signal_event("s", e, 1);
    ///     items.blit("P", |pass| { pass.fill("f", a, 1); });
    /// });
    /// let program = p.build();
    /// assert_eq!(program.locate("P.f"), [Locus::PassItem { buffer, pass: 1, item: 0 }]);
    /// assert_eq!(program.locate("cb.s"), [Locus::Event { buffer, item: 0 }]);
    /// assert_eq!(program.path(Locus::PassItem { buffer, pass: 1, item: 0 }), "P.f");
    /// ```
    pub fn locate(&self, path: &str) -> Vec<Locus> {
        let (all, steps) = (self.loci(), self.all_steps());
        let short = all.iter().filter(|locus| self.path_among(**locus, &steps) == path);
        let mut found: Vec<Locus> = short.copied().collect();
        if found.is_empty() {
            found.extend(all.iter().filter(|locus| self.full_path_among(**locus, &steps) == path));
        }
        found
    }

    /// The label path of a place, without its command buffer. What has no label is named by its place, from 0.
    pub fn path(&self, locus: Locus) -> String {
        self.path_among(locus, &self.all_steps())
    }

    /// The label path of a place with its command buffer in front.
    pub fn full_path(&self, locus: Locus) -> String {
        self.full_path_among(locus, &self.all_steps())
    }

    /// [`path`](Self::path), given all steps.
    pub(crate) fn path_among(&self, locus: Locus, steps: &[&Step]) -> String {
        match locus {
            Locus::PassItem { buffer, pass, item } => {
                let Some(pass) = self.pass(buffer, pass) else { return format!("?.{item}") };
                let label = match pass.items.get(item as usize) {
                    Some(PassItem::Command(command)) => Some(&command.label),
                    Some(PassItem::Synchronization(synchronization)) => synchronization.label.as_ref(),
                    Some(PassItem::UseResource { .. }) | None => None,
                };
                format!("{}.{}", pass.label, label.cloned().unwrap_or_else(|| format!("#{item}")))
            }
            Locus::Pass { buffer, pass } => {
                self.pass(buffer, pass).map_or("?", |pass| &pass.label).to_owned()
            }
            Locus::Event { buffer, item } => {
                let Some(body) = self.command_buffers.get(buffer.index()) else { return format!("?.{item}") };
                let label = match body.items.get(item as usize) {
                    Some(BufferItem::Event(operation)) => operation.label.clone(),
                    _ => None,
                };
                format!("{}.{}", body.label, label.unwrap_or_else(|| format!("#{item}")))
            }
            Locus::Step(number) => match steps.get(number as usize) {
                Some(Step::QueueEvent { operation, .. }) if operation.label.is_some() => {
                    operation.label.clone().unwrap_or_default()
                }
                _ => format!("cpu.#{number}"),
            },
        }
    }

    /// [`full_path`](Self::full_path), given all steps.
    pub(crate) fn full_path_among(&self, locus: Locus, steps: &[&Step]) -> String {
        let path = self.path_among(locus, steps);
        match locus {
            Locus::PassItem { buffer, .. } | Locus::Pass { buffer, .. } => {
                let label = self.command_buffers.get(buffer.index()).map_or("?", |body| &body.label);
                format!("{label}.{path}")
            }
            Locus::Event { .. } | Locus::Step(_) => path,
        }
    }

    fn loci(&self) -> Vec<Locus> {
        let mut all = Vec::new();
        for (number, body) in self.command_buffers.iter().enumerate() {
            let buffer = CommandBufferIndex(number as u32);
            for (item, place) in body.items.iter().zip(0..) {
                match item {
                    BufferItem::Event(_) => all.push(Locus::Event { buffer, item: place }),
                    BufferItem::Pass(pass) => {
                        all.extend(pass.attachments_at().map(|_| Locus::Pass { buffer, pass: place }));
                        all.extend((0..pass.items.len() as u32).map(|item| Locus::PassItem {
                            buffer,
                            pass: place,
                            item,
                        }))
                    }
                }
            }
        }
        all.extend((0..self.all_steps().len() as u32).map(Locus::Step));
        all
    }
}
