//! What the CPU does, and what the author expects.

use fencepost_core::program::{EventIndex, Expectation, Part, Step};

use super::super::words::{RACE_KINDS, word};
use super::command_buffers::operation_word;
use super::line::{Line, close};
use super::{PrintError, Printer, get};

impl Printer<'_> {
    pub(super) fn steps(&mut self, steps: &[Step], level: usize) -> Result<(), PrintError> {
        steps.iter().try_for_each(|step| self.step(step, level))
    }

    fn step(&mut self, step: &Step, level: usize) -> Result<(), PrintError> {
        let mut line = Line::new(level, step_word(step));
        match step {
            Step::Write(part) | Step::DidModify(part) | Step::Read(part) => self.part(&mut line, part)?,
            Step::Commit(buffers) => {
                for buffer in buffers {
                    line.argument(&get(&self.program.command_buffers, "command buffer", buffer.0)?.label);
                }
            }
            Step::Enqueue(buffer) | Step::WaitUntilCompleted(buffer) => {
                line.argument(&get(&self.program.command_buffers, "command buffer", buffer.0)?.label);
            }
            Step::QueueEvent { queue, operation } => {
                line.label(operation.label.as_deref());
                line.argument(&get(&self.program.queues, "queue", queue.0)?.name);
                self.operation(&mut line, operation)?;
            }
            Step::SetSignaledValue { event, value } => self.event(&mut line, *event, *value)?,
            Step::WaitUntilSignaled { event, value, timeout_ms } => {
                self.event(&mut line, *event, *value)?;
                if let Some(timeout_ms) = timeout_ms {
                    line.number("timeout-ms", *timeout_ms);
                }
            }
            Step::MakeAliasable(resource) => {
                line.argument(self.resource_name(*resource)?);
            }
            Step::Notify { event, value, body } => {
                self.event(&mut line, *event, *value)?;
                return self.block(line, body, level);
            }
            Step::Thread { name, body } => {
                line.argument(name);
                return self.block(line, body, level);
            }
        }
        line.end(&mut self.text);
        Ok(())
    }

    fn block(&mut self, mut line: Line, body: &[Step], level: usize) -> Result<(), PrintError> {
        line.open(&mut self.text);
        self.steps(body, level + 1)?;
        close(level, &mut self.text);
        Ok(())
    }

    fn part(&self, line: &mut Line, part: &Part) -> Result<(), PrintError> {
        line.argument(&self.access(part)?);
        Ok(())
    }

    fn event(&self, line: &mut Line, event: EventIndex, value: u64) -> Result<(), PrintError> {
        line.argument(&get(&self.program.events, "event", event.0)?.name).number("value", value);
        Ok(())
    }

    pub(super) fn expectations(&mut self) -> Result<(), PrintError> {
        Line::new(0, "expect").open(&mut self.text);
        for expectation in &self.program.expectations {
            let line = self.expectation(expectation)?;
            { line }.end(&mut self.text);
        }
        close(0, &mut self.text);
        Ok(())
    }

    fn expectation(&self, expectation: &Expectation) -> Result<Line, PrintError> {
        let mut line = Line::new(1, expectation.word());
        match expectation {
            Expectation::Clean => {}
            Expectation::Race { resource, first, second, kind } => {
                line.argument(self.resource_name(*resource)?);
                for (name, path) in [("first", first), ("second", second)] {
                    if let Some(path) = path {
                        line.property(name, path);
                    }
                }
                if let Some(kind) = kind {
                    line.property("kind", word(RACE_KINDS, *kind));
                }
            }
            Expectation::Ordered { first, second } | Expectation::Unordered { first, second } => {
                line.argument(first).argument(second);
            }
            Expectation::Redundant { site }
            | Expectation::Needed { site }
            | Expectation::Stuck { site }
            | Expectation::Stale { site } => {
                line.argument(site);
            }
            Expectation::Misuse { site, code } => {
                line.argument(site).property("code", code);
            }
            Expectation::Managed { resource, code } => {
                line.argument(self.resource_name(*resource)?).property("code", code);
            }
            Expectation::Fix { resource, primitive } => {
                line.argument(self.resource_name(*resource)?).property("primitive", primitive);
            }
        }
        Ok(line)
    }
}

const fn step_word(step: &Step) -> &'static str {
    match step {
        Step::Write(_) => "write",
        Step::DidModify(_) => "did-modify",
        Step::Commit(_) => "commit",
        Step::Enqueue(_) => "enqueue",
        Step::QueueEvent { operation, .. } => operation_word(operation.kind),
        Step::WaitUntilCompleted(_) => "wait-until-completed",
        Step::SetSignaledValue { .. } => "set-signaled-value",
        Step::WaitUntilSignaled { .. } => "wait-until-signaled",
        Step::Notify { .. } => "notify",
        Step::Read(_) => "read",
        Step::MakeAliasable(_) => "make-aliasable",
        Step::Thread { .. } => "thread",
    }
}
