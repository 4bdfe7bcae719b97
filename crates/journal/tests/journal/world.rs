//! A worker on a disk that fails, and what it must find again.
//!
//! The world runs steps, remembers every payload that was acknowledged, and compares all of it with what a replay gives,
//! after each way to die. Payloads say what they are, so the blobs of the cold store follow from the log as in a worker.

use std::collections::BTreeMap;
use std::time::Duration;

use shardset_journal::storage::faulty::MemoryDisk;
use shardset_journal::{ColdStore, Durability, Journal, Location, OpenError, ReplayError, Settings};
use shardset_model::{Incarnation, ShardCount};

/// Something that a worker does, or that happens to it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A commit of so many bytes, and a few.
    Commit(usize),
    /// A commit of nothing.
    Empty,
    /// Time goes by, in ms, and the journal is asked whether a sync is due.
    Wait(u64),
    Sync,
    Begin,
    /// Begins a checkpoint, or gives up where that fails once.
    TryBegin,
    /// Commits all that lives and ends the checkpoint.
    End,
    /// The same, but does not insist.
    TryEnd,
    /// Puts a blob of so many bytes into the cold store.
    Freeze(usize),
    /// Takes the oldest one out.
    Thaw,
    /// Moves what lives in the sparsest file, and deletes dead ones.
    Compact,
    /// A clean stop and a start.
    Close,
    Kill,
    Crash,
}

/// The process died in the middle of a step.
#[derive(Debug)]
pub(crate) struct Died;

/// What the log on the disk begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Base {
    begin: usize,
    end: usize,
}

pub(crate) struct World {
    pub(crate) disk: MemoryDisk,
    pub(crate) settings: Settings,
    journal: Option<Journal<MemoryDisk>>,
    cold: Option<ColdStore<MemoryDisk>>,
    now: Duration,
    serial: u64,
    /// All payloads that were acknowledged, ever.
    log: Vec<Vec<u8>>,
    /// How many of them the power can not take.
    durable: usize,
    /// What was committed and not acknowledged.
    in_flight: Option<Vec<u8>>,
    base: Base,
    begun: Option<usize>,
    /// What the log may begin with instead, as the end of a checkpoint was tried.
    ending: Vec<Base>,
    /// Whether the power went since the last start.
    lost_power: bool,
    incarnation: Option<Incarnation>,
    lives: u128,
    /// Errors that were answered, while the process lived.
    pub(crate) errors: usize,
}

pub(crate) fn settings(durability: Durability) -> Settings {
    let shard = ShardCount::ONE.shard(0).unwrap();
    Settings { durability, segment_bytes: 700, unsynced_bytes: 1500, cold_file_bytes: 600, ..Settings::new(shard) }
}

impl World {
    pub(crate) fn new(seed: u64, durability: Durability) -> Self {
        Self {
            disk: MemoryDisk::new(seed),
            settings: settings(durability),
            journal: None,
            cold: None,
            now: Duration::from_secs(1),
            serial: 0,
            log: Vec::new(),
            durable: 0,
            in_flight: None,
            base: Base { begin: 0, end: 0 },
            begun: None,
            ending: Vec::new(),
            lost_power: false,
            incarnation: None,
            lives: 0,
            errors: 0,
        }
    }

    /// Starts, and does each step, until the process dies.
    pub(crate) fn run(&mut self, steps: &[Step]) -> Result<(), Died> {
        if self.journal.is_none() {
            self.find()?;
        }
        steps.iter().try_for_each(|step| self.step(*step))
    }

    /// Runs, and whether the process died; it may learn of it by its next operation only.
    pub(crate) fn dies(&mut self, steps: &[Step]) -> bool {
        self.run(steps).is_err() || self.disk.is_dead()
    }

    /// The process is dead; with it goes the power, or not. Then it starts again and must find everything.
    pub(crate) fn restart(&mut self, crash: bool) -> Result<(), Died> {
        self.journal = None;
        self.cold = None;
        if crash {
            self.disk.crash();
        } else {
            self.disk.kill();
        }
        self.lost_power |= crash;
        self.find()
    }

    /// Every segment on the disk is one of the log.
    pub(crate) fn assert_no_rubbish(&mut self) {
        let names = self.disk.files();
        let segments = names.iter().filter(|(name, _)| name.starts_with("segment-")).count();
        assert_eq!(segments as u64, self.journal().statistics().segments, "{names:?}");
    }

    pub(crate) fn journal(&mut self) -> &mut Journal<MemoryDisk> {
        self.journal.as_mut().unwrap()
    }

    fn step(&mut self, step: Step) -> Result<(), Died> {
        match step {
            Step::Commit(bytes) => self.commit(b'd', &vec![b'x'; bytes]),
            Step::Empty => self.settle(|world| world.journal.as_mut().unwrap().commit(&[], world.now).map(drop)),
            Step::Wait(ms) => {
                self.now += Duration::from_millis(ms);
                let log = self.log.len();
                let before = self.journal().statistics().syncs;
                self.attempt(|world| world.journal.as_mut().unwrap().sync_if_due(world.now))?;
                self.durable = if self.journal().statistics().syncs > before { log } else { self.durable };
                Ok(())
            }
            Step::Sync => self.settle(|world| world.journal().sync().map(drop)),
            Step::Begin => {
                let begin = self.log.len();
                self.settle(|world| world.journal().begin_checkpoint())?;
                self.begun = Some(begin);
                Ok(())
            }
            Step::TryBegin => {
                let begun = self.journal().begin_checkpoint();
                self.begun = begun.is_ok().then_some(self.log.len());
                self.gave_up(begun.is_err())
            }
            Step::End => self.end(),
            Step::TryEnd => {
                if self.prepare_end()?.is_some() {
                    let ended = self.journal().end_checkpoint();
                    match &ended {
                        Ok(()) => self.ended(),
                        Err(_) => return self.gave_up(true),
                    }
                    self.durable = self.log.len();
                }
                Ok(())
            }
            Step::Freeze(bytes) => self.freeze(bytes),
            Step::Thaw => match self.live().first_key_value() {
                Some((id, _)) => self.thaw(*id),
                None => Ok(()),
            },
            Step::Compact => self.compact(),
            Step::Close => {
                let journal = self.journal.take().unwrap();
                self.cold = None;
                let closed = journal.close();
                if self.disk.is_dead() {
                    return Err(Died);
                }
                self.errors += usize::from(closed.is_err());
                self.durable = if closed.is_ok() { self.log.len() } else { self.durable };
                self.restart(false)
            }
            Step::Kill => self.restart(false),
            Step::Crash => self.restart(true),
        }
    }

    /// What makes all durable that was committed before, whatever the settings.
    fn settle<E: std::fmt::Debug>(&mut self, settle: impl FnMut(&mut Self) -> Result<(), E>) -> Result<(), Died> {
        let syncs = self.journal().statistics().syncs;
        let log = self.log.len();
        let mut settle = settle;
        self.attempt(&mut settle)?;
        let is_fsync = self.settings.durability == Durability::Fsync;
        if is_fsync || self.journal().statistics().syncs > syncs {
            self.durable = log;
        }
        Ok(())
    }

    fn commit(&mut self, kind: u8, rest: &[u8]) -> Result<(), Died> {
        self.serial += 1;
        let mut payload = vec![kind];
        payload.extend_from_slice(&self.serial.to_le_bytes());
        payload.extend_from_slice(rest);
        self.in_flight = Some(payload.clone());
        let syncs = self.journal().statistics().syncs;
        let (head, tail) = payload.split_at(5);
        self.attempt(|world| world.journal.as_mut().unwrap().commit_parts(&[head, &[], tail], world.now))?;
        if self.journal().statistics().syncs > syncs {
            self.durable = self.log.len();
        }
        self.log.push(payload);
        self.in_flight = None;
        if self.settings.durability == Durability::Fsync {
            self.durable = self.log.len();
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Died> {
        if self.prepare_end()?.is_some() {
            self.settle(|world| world.journal().end_checkpoint())?;
            self.ended();
        }
        Ok(())
    }

    fn prepare_end(&mut self) -> Result<Option<()>, Died> {
        let Some(begin) = self.begun else { return Ok(None) };
        for (id, location) in self.live() {
            self.commit(b'c', &frozen(id, location))?;
        }
        self.ending.push(Base { begin, end: self.log.len() });
        Ok(Some(()))
    }

    fn ended(&mut self) {
        self.base = *self.ending.last().unwrap();
        // An end that was tried before may be in the log, if this one began where that did.
        self.ending.retain(|base| base.begin == self.base.begin);
        self.begun = None;
    }

    fn gave_up(&mut self, failed: bool) -> Result<(), Died> {
        if failed && self.disk.is_dead() {
            return Err(Died);
        }
        self.errors += usize::from(failed);
        Ok(())
    }

    fn freeze(&mut self, bytes: usize) -> Result<(), Died> {
        let ids = [self.serial * 1000 + bytes as u64, self.serial * 1000 + 500 + bytes as u64 % 500];
        let locations = self.attempt(|world| {
            let cold = world.cold.as_mut().unwrap();
            let locations = [cold.append(&blob(ids[0]))?, cold.append(&blob(ids[1]))?];
            cold.sync().map(|()| locations)
        })?;
        self.commit(b'c', &frozen(ids[0], locations[0]))?;
        self.commit(b'c', &frozen(ids[1], locations[1]))?;
        self.assert_cold_counts_what_lives();
        Ok(())
    }

    fn append(&mut self, id: u64) -> Result<Location, Died> {
        self.attempt(|world| {
            let cold = world.cold.as_mut().unwrap();
            let location = cold.append(&blob(id))?;
            cold.sync().map(|()| location)
        })
    }

    fn thaw(&mut self, id: u64) -> Result<(), Died> {
        let location = self.live()[&id];
        let read = self.attempt(|world| world.cold.as_mut().unwrap().read(location))?;
        assert_eq!(read, blob(id));
        self.commit(b't', &id.to_le_bytes())?;
        self.cold.as_mut().unwrap().release(location);
        self.assert_cold_counts_what_lives();
        Ok(())
    }

    fn assert_cold_counts_what_lives(&self) {
        let live: u64 = self.live().values().map(|location| 12 + u64::from(location.length)).sum();
        assert_eq!(self.cold.as_ref().unwrap().live_bytes(), live);
    }

    fn compact(&mut self) -> Result<(), Died> {
        if let Some(file) = self.cold.as_ref().unwrap().compaction_candidate() {
            for (id, from) in self.live().into_iter().filter(|(_, location)| location.file == file) {
                let to = self.append(id)?;
                self.commit(b'c', &frozen(id, to))?;
                self.cold.as_mut().unwrap().release(from);
            }
            assert_ne!(self.cold.as_ref().unwrap().compaction_candidate(), Some(file));
        }
        let receipt = self.attempt(|world| world.journal().sync())?;
        self.durable = self.log.len();
        self.attempt(|world| world.cold.as_mut().unwrap().delete_unreferenced(&receipt))?;
        self.assert_cold_counts_what_lives();
        Ok(())
    }

    /// Tries until it works, as a worker does, unless the process is dead.
    fn attempt<T, E: std::fmt::Debug>(&mut self, mut what: impl FnMut(&mut Self) -> Result<T, E>) -> Result<T, Died> {
        for _ in 0..5 {
            match what(self) {
                Ok(done) => return Ok(done),
                Err(_) if self.disk.is_dead() => return Err(Died),
                Err(_) => self.errors += 1,
            }
        }
        panic!("it does not get better: {:?}", what(self).map(drop));
    }

    /// Opens, replays, and checks that what is found is what was committed.
    fn find(&mut self) -> Result<(), Died> {
        let mut found = Vec::new();
        let (journal, mut cold) = self.attempt(|world| {
            found.clear();
            world.lives += 1;
            open(&world.disk, world.settings, world.lives, |payload, inside| found.push((payload.to_vec(), inside)))
        })?;
        let incarnation = *self.incarnation.get_or_insert(journal.incarnation());
        assert_eq!(incarnation, journal.incarnation(), "a disk is not lost");
        self.accept(&found);
        for (id, location) in self.live() {
            cold.mark_live(location).unwrap();
            let read = self.attempt(|_| cold.read(location))?;
            assert_eq!(read, blob(id));
        }
        (self.journal, self.cold) = (Some(journal), Some(cold));
        Ok(())
    }

    fn accept(&mut self, found: &[(Vec<u8>, bool)]) {
        let at_least = if self.lost_power { self.durable } else { self.log.len() };
        let mut known = std::mem::take(&mut self.log);
        known.extend(self.in_flight.take());
        let fits = |base: &Base| {
            let payloads = known.get(base.begin..)?.get(..found.len())?;
            let in_checkpoint = |at: usize| base.begin + at < base.end;
            let same = |(at, (payload, inside)): (usize, &(Vec<u8>, bool))| {
                payloads[at] == *payload && *inside == in_checkpoint(at)
            };
            let enough = base.begin + found.len() >= at_least.max(base.end);
            (enough && found.iter().enumerate().all(same)).then_some(*base)
        };
        let mut bases = std::mem::take(&mut self.ending);
        bases.push(self.base);
        let fitting = bases.iter().find_map(fits);
        let text = |payload: &[u8]| (payload[0] as char, payload[1], payload.len());
        self.base = fitting.unwrap_or_else(|| {
            let found: Vec<_> = found.iter().map(|(payload, inside)| (text(payload), *inside)).collect();
            let known: Vec<_> = known.iter().map(|payload| text(payload)).collect();
            panic!(
                "found {found:?}\nof {known:?}\nat least {at_least}, from one of {bases:?}\n{:?}",
                self.disk.files()
            );
        });
        known.truncate(self.base.begin + found.len());
        self.log = known;
        self.durable = self.durable.min(self.log.len());
        self.ending = bases.into_iter().filter(|base| base.begin == self.base.begin).collect();
        self.begun = None;
        self.lost_power = false;
    }

    /// The blobs that live, by the log.
    fn live(&self) -> BTreeMap<u64, Location> {
        let mut live = BTreeMap::new();
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
        for payload in &self.log[self.base.begin..] {
            let rest = &payload[9..];
            match payload[0] {
                b'c' => {
                    let field = |at: usize| number(&rest[at * 8..at * 8 + 8]);
                    let (file, length) = (field(1) as u32, field(3) as u32);
                    live.insert(field(0), Location { file, offset: field(2), length });
                }
                b't' => drop(live.remove(&number(rest))),
                _ => {}
            }
        }
        live
    }
}

/// A journal and its cold store, on this disk.
pub(crate) fn open(
    disk: &MemoryDisk,
    settings: Settings,
    life: u128,
    mut each: impl FnMut(&[u8], bool),
) -> Result<(Journal<MemoryDisk>, ColdStore<MemoryDisk>), ReplayError<std::convert::Infallible>> {
    let opening = Journal::open(disk.clone(), settings, Incarnation::new(life).unwrap())?;
    let cold = opening.cold_store()?;
    let journal = opening.replay(|frame| {
        each(frame.payload, frame.in_checkpoint);
        Ok(())
    })?;
    Ok((journal, cold))
}

/// What it says to open this disk and to read all of it; the payloads where it is good.
pub(crate) fn read(disk: &MemoryDisk, settings: Settings) -> Result<Vec<Vec<u8>>, OpenError> {
    let mut payloads = Vec::new();
    match open(disk, settings, 77, |payload, _| payloads.push(payload.to_vec())) {
        Ok(_) => Ok(payloads),
        Err(ReplayError::Open(error)) => Err(error),
        Err(ReplayError::Frame { .. }) => unreachable!("nobody refuses"),
    }
}

fn frozen(id: u64, location: Location) -> Vec<u8> {
    [id, location.file.into(), location.offset, location.length.into()].iter().flat_map(|n| n.to_le_bytes()).collect()
}

fn blob(id: u64) -> Vec<u8> {
    id.to_le_bytes().into_iter().cycle().take(id as usize % 1000).collect()
}
