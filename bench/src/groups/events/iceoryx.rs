//! An event of iceoryx2: whoever has the name of the service notifies and listens, in any process.

use iceoryx2::port::{listener::Listener, notifier::Notifier};
use iceoryx2::prelude::*;

/// The kind whose ports may move to another thread.
type Kind = ipc_threadsafe::Service;

/// Both ends; each side uses one.
pub(super) struct Ends {
    /// Keeps the service's files.
    _node: Node<Kind>,
    notifier: Notifier<Kind>,
    listener: Option<Listener<Kind>>,
}

impl Ends {
    /// Opens the service of this name, or makes it.
    pub(super) fn new(name: &str, listens: bool) -> Self {
        set_log_level(LogLevel::Error);
        let node = NodeBuilder::new().create::<Kind>().expect("a node");
        let name = ServiceName::new(name).expect("a name");
        let service = node.service_builder(&name).event().open_or_create().expect("a service");
        let notifier = service.notifier_builder().create().expect("a notifier");
        let listener = listens.then(|| service.listener_builder().create().expect("a listener"));
        Self { _node: node, notifier, listener }
    }

    pub(super) fn notify(&self) {
        self.notifier.notify().expect("somebody listens");
    }

    /// Blocks until at least one notification has come, and takes all that have.
    pub(super) fn wait(&self) {
        let listener = self.listener.as_ref().expect("this end listens");
        let mut came = false;
        while !came {
            listener.blocking_wait(|_| came = true).expect("it listens");
        }
    }

    /// Takes what has come.
    pub(super) fn take(&self) {
        let listener = self.listener.as_ref().expect("this end listens");
        listener.try_wait(|_| ()).expect("it listens");
    }
}
