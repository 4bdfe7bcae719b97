//! What a worker does on its own: clears up, sweeps, writes checkpoints bit by bit, and sends again.

use shardset_handoff::Checkpoint;

use super::{Death, Worker};
use crate::queue::Event;
use crate::scene::Scene;

/// Bytes of a checkpoint that are written at a time: a few streams, so that much happens in between.
const PIECE_BYTES: usize = 300;

impl Worker {
    pub(super) fn background(&mut self, scene: &mut Scene) {
        let Some(process) = &mut self.process else { return };
        let delay = scene.around(scene.weather.background);
        scene.after(delay, Event::Background { worker: self.index, life: self.life });
        if process.is_failing {
            return;
        }
        let budget = scene.random.between(1, 3) as usize;
        process.shard.settle(budget, &mut process.changes);
        let (now, changes) = (scene.clock(self.ahead), &mut process.changes);
        process.shard.streams_mut().sweep(now, 2, |change| change.write(changes));
        self.rest(scene);
        self.checkpoint(scene);
        self.settle_waiting(scene);
        self.send_all(scene);
        if self.process.as_ref().is_some_and(|process| !process.changes.is_empty()) {
            self.commit_soon(scene);
        }
    }

    fn checkpoint(&mut self, scene: &mut Scene) {
        let Some(process) = &mut self.process else { return };
        let done = match process.checkpoint {
            None if process.changes.is_empty() && scene.random.chance(scene.weather.checkpoints) => {
                let begun = process.journal.begin_checkpoint();
                process.checkpoint = begun.is_ok().then_some(Checkpoint::Begin);
                begun
            }
            None => return,
            Some(Checkpoint::Complete) if process.changes.is_empty() => {
                let ended = process.journal.end_checkpoint();
                if ended.is_ok() {
                    process.checkpoint = None;
                    scene.ledger.counts.checkpoints += 1;
                }
                ended
            }
            Some(at) => {
                process.checkpoint = Some(process.shard.write_checkpoint(at, PIECE_BYTES, &mut process.changes));
                return;
            }
        };
        if let Err(error) = done {
            scene.note(self.node(), || format!("no checkpoint: {error}"));
            if self.disk.is_dead() {
                self.die(Death::Crash, scene);
            }
        }
    }
}
