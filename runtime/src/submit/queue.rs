//! A queue: what was committed to it and has not been handed over, in order.
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use fencepost_core::QueueMode;

use super::command_buffer::CommandBufferState;
use super::slots::Slots;
use crate::Error;
use crate::api::Label;
use crate::record::{Item, Recording};
use crate::signal::{EventBody, Gate, SignalRight};

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) label: Option<Arc<Label>>,
    pub(super) entries: VecDeque<Entry>,
    pub(super) slots: Arc<Slots>,
    /// Since when the first entry waits for a value that nobody has promised.
    pub(super) held_since: Option<Instant>,
    /// Waits in flight, in order, but for those at the beginning that have passed.
    pub(super) waiting: VecDeque<Arc<Gate>>,
    /// When the last wait in flight was passed.
    pub(super) passed: Option<Instant>,
    /// Its handle is gone: it goes when it is empty.
    pub(super) closed: bool,
    /// What the next signal vouches for, and whether a signal has vouched for it already.
    stretch: Arc<Stretch>,
    vouched: bool,
    /// On a tracked queue: the last command buffer that the queue came to. The next one is told of after it (rule 7.3.3).
    last: Option<Weak<CommandBufferState>>,
}

/// What a queue was given between one signal and the next: what that next one vouches for (rule 6.18). If any of it fails the signal is
/// never executed, however long ago that was. Signals in a row vouch for the same.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    failed: OnceLock<Error>,
}

/// One thing that a queue has accepted.
#[derive(Debug)]
pub(super) enum Entry {
    /// The place of a command buffer that is not committed yet: it holds back all that is behind it (rule 1.1.3).
    Reserved(Weak<CommandBufferState>),
    Committed(Committed),
    Signal {
        event: SignalRight,
        value: u64,
    },
    Wait {
        event: Arc<EventBody>,
        value: u64,
    },
}

/// A command buffer on its way to the device.
#[derive(Debug)]
pub(super) struct Committed {
    pub(super) recording: Arc<Recording>,
    pub(super) state: Arc<CommandBufferState>,
    pub(super) cursor: Cursor,
    /// The queue has come to it.
    pub(super) in_line: bool,
}

/// How much of a recording was handed over.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    pub(super) item: usize,
    pub(super) command: u32,
    /// Passes begun so far.
    pub(super) passes: u32,
    /// Something was handed over since the last wait, so the end of the buffer needs no node of its own.
    pub(super) marked: bool,
}

impl Stretch {
    /// The first failure counts.
    pub(super) fn fail(&self, error: &Error) {
        self.failed.set(error.clone()).ok();
    }

    pub(super) fn error(&self) -> Option<&Error> {
        self.failed.get()
    }
}

impl Queue {
    pub(super) fn new(mode: QueueMode, max_uncompleted: usize) -> Self {
        Self {
            label: None,
            entries: VecDeque::new(),
            slots: Slots::new(max_uncompleted),
            held_since: None,
            waiting: VecDeque::new(),
            passed: None,
            closed: false,
            stretch: Arc::default(),
            vouched: false,
            last: (mode == QueueMode::Tracked).then(Weak::new),
        }
    }

    /// Whether something that was committed is still to be handed over.
    pub(super) fn holds_work_back(&self) -> bool {
        self.entries.iter().any(|entry| !matches!(entry, Entry::Reserved(_)))
    }

    /// Its label; empty where it has none.
    pub(super) fn label(&self) -> String {
        self.label.as_ref().and_then(|label| label.get()).map(|label| label.to_string()).unwrap_or_default()
    }

    /// A wait was handed over.
    pub(super) fn note_waited(&mut self, gate: &Arc<Gate>) {
        self.forget_passed();
        self.waiting.push_back(Arc::clone(gate));
    }

    /// The first wait in flight that has not passed, and since when the queue has been at it.
    pub(super) fn first_wait(&mut self) -> Option<(&Arc<Gate>, Instant)> {
        self.forget_passed();
        let gate = self.waiting.front()?;
        Some((gate, self.passed.unwrap_or_else(|| gate.since()).max(gate.since())))
    }

    fn forget_passed(&mut self) {
        while let Some(opened) = self.waiting.front().and_then(|gate| gate.opened()) {
            self.passed = Some(opened);
            self.waiting.pop_front();
        }
    }

    /// The queue has come to work, or to a wait: what it belongs to.
    pub(super) fn stretch(&mut self) -> &Arc<Stretch> {
        if std::mem::take(&mut self.vouched) {
            self.stretch = Arc::default();
        }
        &self.stretch
    }

    /// The queue has come to a signal: what that vouches for.
    pub(super) fn vouch(&mut self) -> Arc<Stretch> {
        self.vouched = true;
        Arc::clone(&self.stretch)
    }

    /// What the queue was given last, up to now.
    pub(super) fn present_stretch(&self) -> Arc<Stretch> {
        Arc::clone(&self.stretch)
    }

    /// Items of a command buffer that are never handed over: signals among them are broken, which tells of what is before them.
    pub(super) fn skip(&mut self, items: &[Item], error: &Error) {
        let last = items.iter().rposition(|item| matches!(item, Item::SignalEvent { .. }));
        self.vouched |= last.is_some();
        if last.is_none_or(|last| last + 1 < items.len()) {
            self.stretch().fail(error);
        }
    }

    /// The queue has come to a command buffer.
    pub(super) fn line_up(&mut self, committed: &mut Committed) {
        if std::mem::replace(&mut committed.in_line, true) {
            return;
        }
        let Some(last) = &mut self.last else { return };
        if let Some(before) = last.upgrade() {
            committed.state.follow(&before);
        }
        *last = Arc::downgrade(&committed.state);
    }

    /// Puts a committed buffer where its place was reserved, or at the end.
    pub(super) fn accept(&mut self, committed: Committed, reserved: bool) {
        let place = reserved.then(|| {
            let mine = Arc::as_ptr(&committed.state);
            self.entries.iter_mut().find(|entry| match entry {
                Entry::Reserved(state) => std::ptr::eq(state.as_ptr(), mine),
                _ => false,
            })
        });
        if let Some(Some(place)) = place {
            *place = Entry::Committed(committed);
        } else {
            self.entries.push_back(Entry::Committed(committed));
        }
    }
}
