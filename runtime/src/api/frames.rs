//! A ring of frames: several instances of what the CPU writes anew for each frame while the GPU still reads the ones before.
//!
//! By hand this is a counter, an index and a wait, and each can be wrong alone: a counting semaphore says *how many* places are free and
//! not *which*, so it is right only where frames are told of in their order, which explicit queues do not promise; a shared event that counts frames is never
//! raised by a frame that fails, and the program hangs at the next one. Here each place knows the work that used it last, a place is lent
//! only when just that work has ended, and what is lent is taken back by the commit.
//!
//! ```text
//!   place 0   write ─► commit ═══ GPU ═══╗ wait ─► write ─► commit ═══ …
//!   place 1             write ─► commit ═══ GPU ═════════╗  wait ─► write …
//!   place 2                        write ─► commit ═ GPU ═╗   …
//! ```
use std::fmt;
use std::ops::{Deref, DerefMut};

use smallvec::SmallVec;

use crate::api::command_buffer::CommandBuffer;
use crate::{CommandQueue, Commit, Error};

/// `N` instances of `T`, lent in turn: one while the GPU is at work on the others. With `N` = 3, triple buffering.
///
/// `T` is whatever a frame needs of its own: a buffer, an array of them, a command allocator, plain values. [`begin`](Self::begin) lends the
/// next instance and *sleeps* while the frame that had it last, `N` frames ago, is not over; it never sleeps for any other frame. The
/// [`Frame`] that it gives is the only way to the instance, and committing takes it back. So nothing is written that work in flight
/// may still read, whatever the order in which frames end, and at most `N` frames are in flight.
///
/// The ring knows the work that is committed through it, and what `T` gives out by reference. A clone of a buffer that is kept elsewhere, or
/// work that uses the instance and is committed past the ring, is the program's own affair; guards and [validation](crate::validation)
/// look after those as ever.
///
/// ```
/// use fencepost::{Device, Error, Frames, ResourceOptions};
/// let device = Device::cpu();
/// let queue = device.new_command_queue();
/// let sums = device.new_buffer(256, ResourceOptions::SHARED)?;
/// let mut frames = Frames::<_, 3>::new(|_| device.new_buffer(256, ResourceOptions::SHARED.untracked()))?;
/// for number in 0..10u8 {
///     let vertices = frames.begin()?; // Sleeps while the frame three before is not over.
///     vertices.write(0, &[number; 256])?;
///     let work = queue.command_buffer();
///     let mut blit = work.blit_command_encoder()?;
///     blit.copy_buffer(&vertices, 0, &sums, 0, 256)?;
///     blit.end_encoding();
///     vertices.commit(&work)?;
/// }
/// frames.wait_until_idle()?;
/// assert_eq!(sums.read::<u8>(..)?, [9; 256]);
/// # Ok::<(), Error>(())
/// ```
///
/// What is wrong does not compile. To go on with an instance after its commit:
///
/// ```compile_fail,E0382
/// # use fencepost::{Device, Error, Frames};
/// # let device = Device::cpu();
/// # let work = device.new_command_queue().command_buffer();
/// let mut frames = Frames::<_, 3>::new(|_| device.new_buffer(256, Default::default()))?;
/// let vertices = frames.begin()?;
/// vertices.commit(&work)?;
/// vertices.write(0, &[1u8])?;
/// # Ok::<(), Error>(())
/// ```
///
/// To have two frames open at once, of which one could wait for the other:
///
/// ```compile_fail,E0499
/// # use fencepost::{Device, Error, Frames};
/// # let device = Device::cpu();
/// let mut frames = Frames::<_, 3>::new(|_| device.new_buffer(256, Default::default()))?;
/// let (first, second) = (frames.begin()?, frames.begin()?);
/// # drop((first, second));
/// # Ok::<(), Error>(())
/// ```
pub struct Frames<T, const N: usize> {
    places: [Place<T>; N],
    /// The place of the next frame.
    next: usize,
    /// Frames that were committed.
    committed: u64,
}

/// An instance, and the work that used it last.
struct Place<T> {
    value: T,
    work: SmallVec<[Work; 1]>,
}

/// Something that was committed.
#[derive(Clone, Debug)]
enum Work {
    Buffer(CommandBuffer),
    Group(Commit),
}

/// One instance of a ring, lent until it is committed or dropped. It is used as the instance itself.
///
/// Dropped without a commit, it leaves its turn to the next call of [`Frames::begin`].
pub struct Frame<'a, T, const N: usize> {
    ring: &'a mut Frames<T, N>,
}

/// Where a frame of several pieces commits them. See [`Frame::commit_with`].
pub struct FrameWork<'a> {
    work: &'a mut SmallVec<[Work; 1]>,
}

impl<T, const N: usize> Frames<T, N> {
    /// A ring of the instances that `make` gives for the numbers from 0 to `N` - 1.
    ///
    /// # Errors
    /// What `make` gives.
    pub fn new<E>(make: impl FnMut(usize) -> Result<T, E>) -> Result<Self, E> {
        const { assert!(N > 0, "a ring of no places has none to lend") };
        let values = (0..N).map(make).collect::<Result<Vec<T>, E>>()?;
        let places: Vec<_> = values.into_iter().map(|value| Place { value, work: SmallVec::new() }).collect();
        match places.try_into() {
            Ok(places) => Ok(Self { places, next: 0, committed: 0 }),
            Err(_) => unreachable!("as many were made as there are places"),
        }
    }

    /// Lends the next instance. It sleeps until the frame that had it last has ended and its handlers have run.
    ///
    /// # Errors
    /// That frame failed. This is told once, and the place is free: the next call lends it.
    #[track_caller]
    pub fn begin(&mut self) -> Result<Frame<'_, T, N>, Error> {
        self.places[self.next].finish()?;
        Ok(Frame { ring: self })
    }

    /// The same without sleeping; `None` while the frame that had the instance last is not over.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    #[track_caller]
    pub fn try_begin(&mut self) -> Result<Option<Frame<'_, T, N>>, Error> {
        let place = &mut self.places[self.next];
        if !place.is_over() {
            return Ok(None);
        }
        place.finish()?;
        Ok(Some(Frame { ring: self }))
    }

    /// Sleeps until no frame is in flight, and lends all instances at once: to look at them, to make them anew with another size, or
    /// before they are let go.
    ///
    /// # Errors
    /// The first error of a frame that failed, in order of places. This is told once.
    #[track_caller]
    pub fn wait_until_idle(&mut self) -> Result<[&mut T; N], Error> {
        let mut first = Ok(());
        for place in &mut self.places {
            let ended = place.finish();
            first = first.and(ended);
        }
        first?;
        Ok(self.places.each_mut().map(|place| &mut place.value))
    }

    /// Frames that are not over, from 0 to `N`.
    #[track_caller]
    pub fn in_flight(&self) -> usize {
        self.places.iter().filter(|place| !place.is_over()).count()
    }

    /// Frames that have been committed since the ring was made.
    pub fn committed(&self) -> u64 {
        self.committed
    }
}

impl<T, const N: usize> Frame<'_, T, N> {
    /// Which of the `N` instances it is.
    pub fn index(&self) -> usize {
        self.ring.next
    }

    /// Commits a command buffer of a tracked queue, and gives the instance to it until it has ended.
    ///
    /// # Errors
    /// As [`CommandBuffer::commit`]. The instance is in nobody's use then, and its turn comes again with the next frame.
    #[track_caller]
    pub fn commit(self, work: &CommandBuffer) -> Result<(), Error> {
        self.commit_with(|_, frame| frame.commit(work))
    }

    /// Commits a group on an explicit queue, and gives the instance to it until it has ended.
    ///
    /// # Errors
    /// As [`CommandQueue::commit`]. The instance is in nobody's use then, and its turn comes again with the next frame.
    #[track_caller]
    pub fn commit_group(self, queue: &CommandQueue, group: &[&CommandBuffer]) -> Result<Commit, Error> {
        self.commit_with(|_, frame| frame.commit_group(queue, group))
    }

    /// Commits a frame of several pieces, on any queues: the instance is theirs until all of them have ended.
    ///
    /// ```
    /// use fencepost::{Device, Error, Frames};
    /// let device = Device::cpu();
    /// let (simulate, draw) = (device.new_command_queue(), device.new_command_queue());
    /// let mut frames = Frames::<_, 2>::new(|_| device.new_buffer(64, Default::default()))?;
    /// let (first, second) = (simulate.command_buffer(), draw.command_buffer());
    /// frames.begin()?.commit_with(|_instance, frame| {
    ///     frame.commit(&first)?;
    ///     frame.commit(&second)
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What `commit` gives. What it has committed until then keeps the instance.
    pub fn commit_with<R>(
        self,
        commit: impl FnOnce(&T, &mut FrameWork<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let Frames { places, next, committed } = self.ring;
        let Place { value, work } = &mut places[*next];
        let result = commit(value, &mut FrameWork { work });
        if !work.is_empty() {
            *committed += 1;
            *next = (*next + 1) % N;
        }
        result
    }
}

impl FrameWork<'_> {
    /// Commits a command buffer of a tracked queue.
    ///
    /// # Errors
    /// As [`CommandBuffer::commit`].
    #[track_caller]
    pub fn commit(&mut self, work: &CommandBuffer) -> Result<(), Error> {
        work.commit()?;
        self.work.push(Work::Buffer(work.clone()));
        Ok(())
    }

    /// Commits a group on an explicit queue.
    ///
    /// # Errors
    /// As [`CommandQueue::commit`].
    #[track_caller]
    pub fn commit_group(&mut self, queue: &CommandQueue, group: &[&CommandBuffer]) -> Result<Commit, Error> {
        let commit = queue.commit(group)?;
        self.work.push(Work::Group(commit.clone()));
        Ok(commit)
    }
}

impl<T> Place<T> {
    /// Whether all work has ended. Never sleeps.
    #[track_caller]
    fn is_over(&self) -> bool {
        self.work.iter().all(Work::is_over)
    }

    /// Sleeps until all work has ended, and forgets it: the first error of it.
    #[track_caller]
    fn finish(&mut self) -> Result<(), Error> {
        let mut first = Ok(());
        for work in self.work.drain(..) {
            let ended = match work {
                Work::Buffer(buffer) => buffer.wait_until_completed(),
                Work::Group(commit) => commit.wait_until_completed(),
            };
            first = first.and(ended);
        }
        first
    }
}

impl Work {
    #[track_caller]
    fn is_over(&self) -> bool {
        match self {
            Self::Buffer(buffer) => buffer.status() >= crate::CommandBufferStatus::Completed,
            Self::Group(commit) => commit.is_completed(),
        }
    }
}

impl<T, const N: usize> Deref for Frame<'_, T, N> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.ring.places[self.ring.next].value
    }
}

impl<T, const N: usize> DerefMut for Frame<'_, T, N> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.ring.places[self.ring.next].value
    }
}

impl<T, const N: usize> fmt::Debug for Frames<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames")
            .field("places", &N)
            .field("next", &self.next)
            .field("committed", &self.committed)
            .finish_non_exhaustive()
    }
}

impl<T, const N: usize> fmt::Debug for Frame<'_, T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("index", &self.index()).finish_non_exhaustive()
    }
}

impl fmt::Debug for FrameWork<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameWork").field("pieces", &self.work.len()).finish()
    }
}
