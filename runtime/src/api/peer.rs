//! Peer groups: GPUs with a connection of their own, over which one reads the other's private memory (rule 7.5.2).
//!
//! No device that there is can be in one, so every device says so and remote views are refused. They are here all the same: a program
//! that asks before it uses them, as it must with Metal, runs unchanged and takes its other way. What devices over the CPU's memory
//! have instead is one allocation that all of them see, [`Device::new_buffer_sharing`].
use crate::error::ResourceError;
use crate::{Buffer, Device, Error, Texture};

impl Device {
    /// Names the peer group that the device is in: devices with the same number, unless it is 0, reach each other's private memory
    /// through remote views. 0 means none, and is what every device says now.
    ///
    /// ```
    /// let device = fencepost::Device::cpu();
    /// assert_eq!((device.peer_group_id(), device.peer_index(), device.peer_count()), (0, 0, 0));
    /// ```
    #[doc(alias = "peerGroupID")]
    pub fn peer_group_id(&self) -> u64 {
        0
    }

    /// Its number in its peer group, from 0; 0 where it is in none.
    #[doc(alias = "peerIndex")]
    pub fn peer_index(&self) -> u32 {
        0
    }

    /// How many devices its peer group has; 0 where it is in none.
    #[doc(alias = "peerCount")]
    pub fn peer_count(&self) -> u32 {
        0
    }
}

impl Buffer {
    /// This buffer's private memory as another device of the same peer group reads it: a source of copies, and nothing else.
    ///
    /// ```
    /// use fencepost::{Device, ErrorKind, ResourceOptions};
    /// let (first, second) = (Device::cpu(), Device::cpu());
    /// let buffer = first.new_buffer(64, ResourceOptions::PRIVATE)?;
    /// let refused = buffer.new_remote_buffer_view(&second).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Unsupported);
    /// // What there is instead: the same memory, for kernels and copies of the other device.
    /// second.new_buffer_sharing(&buffer, .., Default::default())?;
    /// # Ok::<(), fencepost::Error>(())
    /// ```
    ///
    /// # Errors
    /// Always, of kind [`Unsupported`](crate::ErrorKind::Unsupported): the two devices are in no peer group.
    #[doc(alias = "newRemoteBufferViewForDevice")]
    pub fn new_remote_buffer_view(&self, device: &Device) -> Result<Self, Error> {
        Err(no_peers("`new_remote_buffer_view`", &self.describe(), &self.device(), device, BUFFER))
    }

    /// The buffer that this one is a remote view of; `None` where it is none.
    #[doc(alias = "remoteStorageBuffer")]
    pub fn remote_storage_buffer(&self) -> Option<Self> {
        None
    }
}

impl Texture {
    /// This texture's private memory as another device of the same peer group reads it: a source of copies, and nothing else.
    ///
    /// # Errors
    /// Always, of kind [`Unsupported`](crate::ErrorKind::Unsupported): the two devices are in no peer group.
    #[doc(alias = "newRemoteTextureViewForDevice")]
    pub fn new_remote_texture_view(&self, device: &Device) -> Result<Self, Error> {
        Err(no_peers("`new_remote_texture_view`", &self.describe(), &self.device(), device, TEXTURE))
    }

    /// The texture that this one is a remote view of; `None` where it is none.
    #[doc(alias = "remoteStorageTexture")]
    pub fn remote_storage_texture(&self) -> Option<Self> {
        None
    }
}

#[cold]
fn no_peers(call: &str, resource: &str, owner: &Device, viewer: &Device, mend: &'static str) -> Error {
    let why = match owner == viewer {
        true => "where both are the same device, which is in no peer group (its `peer_group_id` is 0),",
        false => "where neither device is in a peer group (`peer_group_id` is 0),",
    };
    let what = format!("{call} of {resource} on {} for {}, {why}", owner.name(), viewer.name());
    ResourceError::Unsupported { what, mend }.into()
}

const BUFFER: &str =
    "Use `Device::new_buffer_sharing`, with a shared event for the order, or copy through shared memory";
const TEXTURE: &str =
    "Use `Device::new_texture_sharing`, with a shared event for the order, or copy through shared memory";
