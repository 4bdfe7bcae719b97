//! A disk in memory that fails as disks do, the same way for the same seed.
//!
//! What a real disk promises is little, and this one keeps no more than that:
//!
//! - Bytes that were not synced are kept, lost (they read as zeros or as whatever lay there) or torn when the power goes, each
//!   sector of 512 bytes for itself, so that later ones may survive earlier ones; the length may be any in between.
//! - Names that were not synced are each kept or lost.
//! - A failed write has written some of it. After a failed sync the system holds the bytes for written: they can be read, a
//!   later sync succeeds, and some of them are gone when the power goes.
//! - A process that dies takes nothing with it but its locks: [`MemoryDisk::kill`], against [`MemoryDisk::crash`].
//!
//! Clones are the same disk, as they are two handles of one directory; [`MemoryDisk::fork`] is another one with the same
//! contents. Every call of [`Storage`] counts as one operation, which is how a test says where something happens. An
//! append costs its bytes and no more, so that a simulator can run whole clusters over it.

mod contents;
mod random;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::contents::Contents;
use super::Storage;

/// How an operation fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No space left (ENOSPC).
    NoSpace,
    /// The device failed (EIO).
    Device,
    /// The file system became read-only (EROFS).
    ReadOnly,
}

/// When a process dies, seen from one of its operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// Before it.
    Before,
    /// Within it: some of it was done.
    During,
    /// After it, before the process learns of it.
    After,
}

/// A directory in memory.
#[derive(Clone, Debug)]
pub struct MemoryDisk(Arc<Mutex<State>>);

/// A file of a [`MemoryDisk`], open in one life of its process.
#[derive(Debug)]
pub struct MemoryFile {
    inode: u64,
    life: u64,
}

/// The lock of a [`MemoryDisk`].
#[derive(Debug)]
pub struct MemoryLock {
    disk: MemoryDisk,
    life: u64,
}

/// See [`MemoryDisk::hang`].
#[derive(Debug)]
pub struct Hung<'a>(#[expect(dead_code, reason = "held, not used")] MutexGuard<'a, State>);

#[derive(Clone, Debug)]
struct State {
    contents: Contents,
    operations: u64,
    planned_fault: Option<(u64, Fault)>,
    planned_death: Option<(u64, Moment)>,
    is_read_only: bool,
    is_dead: bool,
    is_locked: bool,
    /// Which process works with it. Handles of an earlier one are worth nothing.
    life: u64,
}

/// What is to happen with an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Done,
    /// Done in part, and answered with an error.
    Failed(Fault),
    /// Not begun; the process is dead.
    Nothing,
    /// Done in part; the process is dead.
    Torn,
    /// Done; the process is dead.
    DoneAndDead,
}

impl MemoryDisk {
    /// An empty disk, whose faults follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            contents: Contents::new(seed),
            operations: 0,
            planned_fault: None,
            planned_death: None,
            is_read_only: false,
            is_dead: false,
            is_locked: false,
            life: 0,
        })))
    }

    /// Another disk with the same contents, which no process works with.
    pub fn fork(&self) -> Self {
        let mut state = self.state().clone();
        state.new_life();
        state.calm();
        Self(Arc::new(Mutex::new(state)))
    }

    /// How many operations were asked for.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Lets the operation with this number, counted from 0, fail once.
    pub fn fail(&self, operation: u64, fault: Fault) {
        self.state().planned_fault = Some((operation, fault));
    }

    /// Lets the process die at the operation with this number. All later ones fail, until [`MemoryDisk::crash`] or
    /// [`MemoryDisk::kill`].
    pub fn die(&self, operation: u64, moment: Moment) {
        self.state().planned_death = Some((operation, moment));
    }

    /// Lets the disk hang: every operation waits until what this returns is dropped.
    pub fn hang(&self) -> Hung<'_> {
        Hung(self.state())
    }

    /// Takes back what [`MemoryDisk::fail`] and [`MemoryDisk::die`] planned.
    pub fn calm(&self) {
        self.state().calm();
    }

    /// Lets the disk be full at so many bytes, or never.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().contents.capacity = bytes;
    }

    /// Lets everything that writes fail, or no longer.
    pub fn set_read_only(&self, is_read_only: bool) {
        self.state().is_read_only = is_read_only;
    }

    /// The power goes: what was not synced is lost, torn or kept. Ends the process as well.
    pub fn crash(&self) {
        let mut state = self.state();
        state.contents.lose_power();
        state.new_life();
    }

    /// The process dies, and the system goes on.
    pub fn kill(&self) {
        self.state().new_life();
    }

    /// Whether the process died by [`MemoryDisk::die`].
    pub fn is_dead(&self) -> bool {
        self.state().is_dead
    }

    /// The names and lengths of all files, in order of their names.
    pub fn files(&self) -> Vec<(String, u64)> {
        self.state().contents.files()
    }

    /// Flips a bit (0 to 7) of the byte at `offset` of a file; whether there is one.
    pub fn flip(&self, name: &str, offset: u64, bit: u8) -> bool {
        let flip = |bytes: &mut Vec<u8>| bytes.get_mut(offset as usize).map(|byte| *byte ^= 1 << bit).is_some();
        self.state().contents.edit(name, flip).unwrap_or(false)
    }

    /// Loses a file; whether there was one.
    pub fn lose(&self, name: &str) -> bool {
        self.state().contents.lose(name)
    }

    /// Cuts a file off.
    pub fn truncate(&self, name: &str, length: u64) {
        self.state().contents.edit(name, |bytes| bytes.truncate(length as usize));
    }

    /// Puts other bytes into a file.
    pub fn replace(&self, name: &str, bytes: Vec<u8>) {
        self.state().contents.edit(name, |old| *old = bytes);
    }

    /// What a file holds.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.state().contents.bytes(name).map(<[u8]>::to_vec)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // An operation of a panicking thread is as torn as that of a process that died.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts an operation and says what is to happen with it.
    fn begin(&mut self, writes: bool) -> Outcome {
        let number = self.operations;
        self.operations += 1;
        if self.is_dead {
            return Outcome::Nothing;
        }
        if let Some((_, moment)) = self.planned_death.take_if(|(planned, _)| *planned == number) {
            self.is_dead = true;
            return match moment {
                Moment::Before => Outcome::Nothing,
                Moment::During => Outcome::Torn,
                Moment::After => Outcome::DoneAndDead,
            };
        }
        if let Some((_, fault)) = self.planned_fault.take_if(|(planned, _)| *planned == number) {
            return Outcome::Failed(fault);
        }
        if writes && self.is_read_only { Outcome::Failed(Fault::ReadOnly) } else { Outcome::Done }
    }

    /// Does an operation that only looks.
    fn look<T>(&mut self, look: impl FnOnce(&Contents) -> io::Result<T>) -> io::Result<T> {
        match self.begin(false) {
            Outcome::Done => look(&self.contents),
            outcome => Err(outcome.error()),
        }
    }

    /// Does an operation that writes: all of it, or what `partly` does.
    fn write<T>(
        &mut self,
        wholly: impl FnOnce(&mut Contents) -> io::Result<T>,
        partly: impl FnOnce(&mut Contents),
    ) -> io::Result<T> {
        let outcome = self.begin(true);
        match outcome {
            Outcome::Done => return wholly(&mut self.contents),
            Outcome::DoneAndDead => drop(wholly(&mut self.contents)),
            // A read-only file system does not do a part of anything.
            Outcome::Failed(Fault::Device | Fault::NoSpace) | Outcome::Torn => partly(&mut self.contents),
            Outcome::Failed(Fault::ReadOnly) | Outcome::Nothing => {}
        }
        Err(outcome.error())
    }

    fn calm(&mut self) {
        (self.planned_death, self.planned_fault) = (None, None);
    }

    fn new_life(&mut self) {
        self.life += 1;
        self.is_dead = false;
        self.is_locked = false;
    }
}

impl Outcome {
    fn error(self) -> io::Error {
        match self {
            // Numbers of Linux: the kinds of `io::Error` have none for a device that failed.
            Self::Failed(Fault::NoSpace) => io::Error::from_raw_os_error(28),
            Self::Failed(Fault::Device) => io::Error::from_raw_os_error(5),
            Self::Failed(Fault::ReadOnly) => io::Error::from_raw_os_error(30),
            _ => io::Error::other("the process is dead"),
        }
    }
}

impl MemoryFile {
    /// The file's inode, for a process that is still there.
    fn inode(&self, state: &State) -> io::Result<u64> {
        if self.life == state.life { Ok(self.inode) } else { Err(io::Error::other("opened by a process that is dead")) }
    }
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.life == self.life {
            state.is_locked = false;
        }
    }
}

impl Storage for MemoryDisk {
    type File = MemoryFile;
    type Lock = MemoryLock;

    fn path(&self, name: &str) -> PathBuf {
        Path::new("memory").join(name)
    }

    fn lock(&self, _: &str) -> io::Result<Option<MemoryLock>> {
        let mut state = self.state();
        let (was_locked, life) = (state.is_locked, state.life);
        state.look(|_| Ok(()))?;
        state.is_locked = true;
        Ok((!was_locked).then(|| MemoryLock { disk: self.clone(), life }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.state().look(|contents| Ok(contents.files().into_iter().map(|(name, _)| name).collect()))
    }

    fn create(&self, name: &str) -> io::Result<MemoryFile> {
        let mut state = self.state();
        let inode =
            state.write(|contents| contents.create(name), |contents| contents.maybe(|c| drop(c.create(name))))?;
        Ok(MemoryFile { inode, life: state.life })
    }

    fn open(&self, name: &str) -> io::Result<MemoryFile> {
        let mut state = self.state();
        let inode = state.look(|contents| contents.inode(name))?;
        Ok(MemoryFile { inode, life: state.life })
    }

    fn append(&self, file: &mut MemoryFile, head: &[u8], parts: &[&[u8]]) -> io::Result<()> {
        let mut state = self.state();
        let inode = file.inode(&state)?;
        state.write(|contents| contents.append(inode, head, parts), |contents| contents.append_some(inode, head, parts))
    }

    fn read_at(&self, file: &MemoryFile, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        let inode = file.inode(&state)?;
        state.look(|contents| Ok(contents.read(inode, offset, buffer)))
    }

    fn size(&self, file: &MemoryFile) -> io::Result<u64> {
        let mut state = self.state();
        let inode = file.inode(&state)?;
        state.look(|contents| Ok(contents.size(inode)))
    }

    fn sync_data(&self, file: &MemoryFile) -> io::Result<()> {
        let mut state = self.state();
        let inode = file.inode(&state)?;
        state.write(|contents| contents.sync(inode), |contents| contents.sync_badly(inode))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.state()
            .write(|contents| contents.rename(from, to), |contents| contents.maybe(|c| drop(c.rename(from, to))))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state().write(|contents| contents.remove(name), |contents| contents.maybe(|c| drop(c.remove(name))))
    }

    fn sync_directory(&self) -> io::Result<()> {
        // A directory in which nothing changed is synced on a read-only file system too.
        let mut state = self.state();
        if state.contents.names_are_durable() {
            return state.look(|_| Ok(()));
        }
        state.write(Contents::sync_names, Contents::sync_some_names)
    }
}
