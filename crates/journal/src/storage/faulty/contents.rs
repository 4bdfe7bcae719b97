//! What is on the disk, what the system holds in memory, and what becomes of the difference when the power goes.
//!
//! Files and names are apart, as on a disk: an inode has bytes, a name points to it, and each is durable by itself.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use super::random::Random;

/// What a disk writes at once.
const SECTOR_BYTES: usize = 512;

#[derive(Clone, Debug)]
pub(super) struct Contents {
    /// Full at so many bytes.
    pub(super) capacity: Option<u64>,
    random: Random,
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    /// Changes of names since they were synced, each of which happens as a whole.
    changes: Vec<Vec<(String, Option<u64>)>>,
    used: u64,
}

#[derive(Clone, Default, Debug)]
struct Inode {
    bytes: Vec<u8>,
    /// How long the file is on the disk.
    synced: usize,
    /// What the system holds for written: up to here after a failed sync.
    clean: usize,
    /// What will never be written, though the system thinks that it was.
    doomed: Vec<Range<usize>>,
}

impl Contents {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            capacity: None,
            random: Random::new(seed),
            inodes: BTreeMap::new(),
            next_inode: 1,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            changes: Vec::new(),
            used: 0,
        }
    }

    pub(super) fn files(&self) -> Vec<(String, u64)> {
        self.names.iter().map(|(name, inode)| (name.clone(), self.size(*inode))).collect()
    }

    pub(super) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.names.get(name).map(|inode| &*self.inodes[inode].bytes)
    }

    pub(super) fn inode(&self, name: &str) -> io::Result<u64> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn size(&self, inode: u64) -> u64 {
        self.inodes[&inode].bytes.len() as u64
    }

    pub(super) fn read(&self, inode: u64, offset: u64, buffer: &mut [u8]) -> usize {
        let bytes = &self.inodes[&inode].bytes;
        let from = bytes.len().min(offset as usize);
        let length = buffer.len().min(bytes.len() - from);
        buffer[..length].copy_from_slice(&bytes[from..from + length]);
        length
    }

    pub(super) fn create(&mut self, name: &str) -> io::Result<u64> {
        let inode = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(inode, Inode::default());
        self.change(vec![(name.to_owned(), Some(inode))]);
        Ok(inode)
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let inode = self.inode(from)?;
        self.change(vec![(from.to_owned(), None), (to.to_owned(), Some(inode))]);
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        self.inode(name)?;
        self.change(vec![(name.to_owned(), None)]);
        Ok(())
    }

    pub(super) fn append(&mut self, inode: u64, head: &[u8], parts: &[&[u8]]) -> io::Result<()> {
        let free = self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used));
        let length = head.len() + parts.iter().map(|part| part.len()).sum::<usize>();
        if length as u64 > free {
            self.append_first(inode, head, parts, free as usize);
            return Err(io::Error::from_raw_os_error(28));
        }
        self.append_first(inode, head, parts, length);
        Ok(())
    }

    pub(super) fn append_some(&mut self, inode: u64, head: &[u8], parts: &[&[u8]]) {
        let length = head.len() + parts.iter().map(|part| part.len()).sum::<usize>();
        let some = self.random.up_to(length as u64) as usize;
        self.append_first(inode, head, parts, some);
    }

    fn append_first(&mut self, inode: u64, head: &[u8], parts: &[&[u8]], mut length: usize) {
        let bytes = &mut self.inode_mut(inode).bytes;
        let before = bytes.len();
        for part in std::iter::once(&head).chain(parts) {
            let some = length.min(part.len());
            bytes.extend_from_slice(&part[..some]);
            length -= some;
        }
        let written = bytes.len() - before;
        self.used += written as u64;
    }

    pub(super) fn sync(&mut self, inode: u64) -> io::Result<()> {
        let inode = self.inode_mut(inode);
        inode.synced = inode.bytes.len();
        inode.clean = inode.synced;
        Ok(())
    }

    /// A sync that fails: nothing more will be written of what was to be, and nobody will be told again.
    pub(super) fn sync_badly(&mut self, inode: u64) {
        let mut random = self.random.clone();
        let inode = self.inode_mut(inode);
        let lost = sectors(inode.clean.max(inode.synced)..inode.bytes.len()).filter(|_| random.coin());
        inode.doomed.extend(lost);
        inode.clean = inode.bytes.len();
        self.random = random;
    }

    pub(super) fn names_are_durable(&self) -> bool {
        self.changes.is_empty()
    }

    pub(super) fn sync_names(&mut self) -> io::Result<()> {
        self.durable_names.clone_from(&self.names);
        self.changes.clear();
        self.sweep();
        Ok(())
    }

    /// Each change happens or not, and may still be lost where it did not.
    pub(super) fn sync_some_names(&mut self) {
        let some = self.random.up_to(self.changes.len() as u64) as usize;
        for change in self.changes.drain(..some) {
            apply(&mut self.durable_names, change);
        }
    }

    /// Does it or not.
    pub(super) fn maybe(&mut self, operation: impl FnOnce(&mut Self)) {
        if self.random.coin() {
            operation(self);
        }
    }

    pub(super) fn lose_power(&mut self) {
        for change in std::mem::take(&mut self.changes) {
            if self.random.coin() {
                apply(&mut self.durable_names, change);
            }
        }
        self.names.clone_from(&self.durable_names);
        self.sweep();
        for inode in self.inodes.values_mut() {
            inode.lose_power(&mut self.random);
        }
        self.used = self.inodes.values().map(|inode| inode.bytes.len() as u64).sum();
    }

    /// Changes the bytes of a file behind everyone's back, for good.
    pub(super) fn edit<T>(&mut self, name: &str, edit: impl FnOnce(&mut Vec<u8>) -> T) -> Option<T> {
        let inode = self.inodes.get_mut(self.names.get(name)?)?;
        let edited = edit(&mut inode.bytes);
        inode.synced = inode.synced.min(inode.bytes.len());
        inode.clean = inode.clean.min(inode.bytes.len());
        self.used = self.inodes.values().map(|inode| inode.bytes.len() as u64).sum();
        Some(edited)
    }

    pub(super) fn lose(&mut self, name: &str) -> bool {
        self.durable_names.remove(name);
        self.changes.retain(|change| change.iter().all(|(changed, _)| changed != name));
        self.names.remove(name).is_some()
    }

    fn change(&mut self, change: Vec<(String, Option<u64>)>) {
        apply(&mut self.names, change.clone());
        self.changes.push(change);
    }

    /// Forgets inodes that no name can point to any more. Whoever has one open would still see it on a real disk; a journal
    /// removes only what it does not use.
    fn sweep(&mut self) {
        let mut named: Vec<u64> = self.names.values().chain(self.durable_names.values()).copied().collect();
        named.sort_unstable();
        let used = &mut self.used;
        self.inodes.retain(|inode, contents| {
            let is_named = named.binary_search(inode).is_ok();
            *used -= if is_named { 0 } else { contents.bytes.len() as u64 };
            is_named
        });
    }

    fn inode_mut(&mut self, inode: u64) -> &mut Inode {
        self.inodes.get_mut(&inode).expect("an open file has an inode")
    }
}

impl Inode {
    fn lose_power(&mut self, random: &mut Random) {
        let written = self.synced + random.up_to((self.bytes.len() - self.synced) as u64) as usize;
        self.bytes.truncate(written);
        let unsynced: Vec<_> = sectors(self.synced..written).filter(|_| random.coin()).collect();
        let doomed = std::mem::take(&mut self.doomed).into_iter().filter(|lost| lost.end <= written);
        for lost in unsynced.into_iter().chain(doomed) {
            // What reads there instead is zeros, or what a deleted file left.
            let zeros = random.coin();
            self.bytes[lost].iter_mut().for_each(|byte| *byte = if zeros { 0 } else { random.next() as u8 });
        }
        self.synced = written;
        self.clean = written;
    }
}

fn apply(names: &mut BTreeMap<String, u64>, change: Vec<(String, Option<u64>)>) {
    for (name, inode) in change {
        match inode {
            Some(inode) => drop(names.insert(name, inode)),
            None => drop(names.remove(&name)),
        }
    }
}

/// The parts of `bytes` that lie in one sector each.
fn sectors(bytes: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let first = bytes.start / SECTOR_BYTES;
    let last = bytes.end.div_ceil(SECTOR_BYTES);
    (first..last).map(move |sector| {
        let start = (sector * SECTOR_BYTES).max(bytes.start);
        start..((sector + 1) * SECTOR_BYTES).min(bytes.end).max(start)
    })
}
