//! One client at a time: sends a request, misbehaves as told, insists, and enters what became of it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::fleet::{Export, Mischief};
use crate::ledger::{Fate, Ledger};
use crate::progress::Counters;
use crate::send::{Answer, Connection};
use crate::settings::Retry;

/// A lane.
pub(super) struct Lane {
    own: Connection,
    /// For what a client repeats over another connection.
    other: Connection,
    retry: Retry,
    counters: Arc<Counters>,
    ledger: Ledger,
}

/// How a request ended.
enum Ending {
    Accepted,
    Partial { rejected: u64, message: String, touched: bool },
    Refused(String),
    Undelivered(String),
    Unknown(String),
}

impl Lane {
    pub(super) fn new(own: Connection, other: Connection, retry: Retry, counters: Arc<Counters>) -> Self {
        Self { own, other, retry, counters, ledger: Ledger::default() }
    }

    /// Serves requests until there are no more.
    pub(super) async fn serve(mut self, mut requests: mpsc::Receiver<Export>) -> Ledger {
        while let Some(export) = requests.recv().await {
            self.counters.requests.fetch_add(1, Relaxed);
            self.counters.sent.fetch_add(export.points, Relaxed);
            let ending = self.deliver(&export).await;
            let accepted = matches!(ending, Ending::Accepted);
            let fate = self.enter(&ending, export.points);
            if accepted && export.mischief == Mischief::SendTwice {
                self.repeat(&export).await;
            }
            self.ledger.record(export.recorded, fate);
        }
        self.ledger
    }

    /// Sends until there is an answer that counts, or the client's patience ends.
    async fn deliver(&self, export: &Export) -> Ending {
        let begun = Instant::now();
        let mut pause = self.retry.pause;
        // Whether an attempt may have been applied although it was not answered with success.
        let mut touched = false;
        for attempt in 1.. {
            let answer =
                if attempt == 1 { self.first(export, &mut touched).await } else { Some(self.again(export).await) };
            let (after, why) = match answer {
                Some(Answer::Accepted) => return Ending::Accepted,
                Some(Answer::Partial { rejected, message }) => return Ending::Partial { rejected, message, touched },
                Some(Answer::Refused(why)) if touched => return Ending::Unknown(why),
                Some(Answer::Refused(why)) => return Ending::Refused(why),
                Some(Answer::Again { after, why }) => {
                    touched = true;
                    (after, why)
                }
                Some(Answer::NoConnection(why)) => (None, why),
                None => continue,
            };
            let wait = after.unwrap_or(pause);
            pause = pause.mul_f64(1.5).min(self.retry.pause_max);
            if attempt >= self.retry.attempts || begun.elapsed() + wait > self.retry.patience {
                return if touched { Ending::Unknown(why) } else { Ending::Undelivered(why) };
            }
            sleep(wait).await;
        }
        unreachable!("the number of attempts is bounded")
    }

    /// The first attempt, with its mischief. `None` where it was abandoned.
    async fn first(&self, export: &Export, touched: &mut bool) -> Option<Answer> {
        match export.mischief {
            Mischief::None | Mischief::SendTwice => Some(self.attempt(&self.own, export).await),
            Mischief::Race => {
                self.counters.duplicates.fetch_add(1, Relaxed);
                let answers = tokio::join!(self.attempt(&self.own, export), self.attempt(&self.other, export));
                Some(either(answers.0, answers.1, touched))
            }
            Mischief::Abandon(after) => {
                let answer = timeout(after, self.attempt(&self.own, export)).await.ok();
                if answer.is_none() {
                    self.counters.abandoned.fetch_add(1, Relaxed);
                    *touched = true;
                }
                answer
            }
        }
    }

    async fn again(&self, export: &Export) -> Answer {
        self.counters.retries.fetch_add(1, Relaxed);
        self.attempt(&self.own, export).await
    }

    /// Sends what was accepted once more: the server must call that a success too.
    async fn repeat(&self, export: &Export) {
        self.counters.duplicates.fetch_add(1, Relaxed);
        match self.attempt(&self.other, export).await {
            Answer::Accepted | Answer::Again { .. } | Answer::NoConnection(_) => {}
            Answer::Partial { rejected, message } => {
                self.counters.rejected.fetch_add(rejected, Relaxed);
                self.counters.complain(&format!("a repeated request was rejected in part: {message}"));
            }
            Answer::Refused(why) => {
                self.counters.rejected.fetch_add(export.points, Relaxed);
                self.counters.complain(&format!("a repeated request was refused: {why}"));
            }
        }
    }

    async fn attempt(&self, connection: &Connection, export: &Export) -> Answer {
        self.counters.attempts.fetch_add(1, Relaxed);
        let begun = Instant::now();
        let attempt = connection.attempt(export.protocol, export.gzip, &export.body);
        let answer = timeout(self.retry.timeout, attempt).await;
        self.counters.latencies.record(begun.elapsed());
        answer.unwrap_or_else(|_| Answer::Again { after: None, why: "no answer in time".to_owned() })
    }

    /// Counts the ending, and says what it means for the ledger.
    fn enter(&self, ending: &Ending, points: u64) -> Fate {
        let (counter, fate) = match ending {
            Ending::Accepted => (&self.counters.accepted, Fate::Accepted),
            Ending::Refused(_) => (&self.counters.refused, Fate::Refused),
            Ending::Undelivered(_) => (&self.counters.undelivered, Fate::Refused),
            Ending::Unknown(_) => (&self.counters.unknown, Fate::Unknown),
            Ending::Partial { rejected, message, touched } => {
                self.counters.rejected.fetch_add(*rejected, Relaxed);
                self.counters.complain(message);
                let none = *rejected >= points && !touched;
                // Which points were rejected is not said, so of the others nothing is certain either.
                self.counters.unknown.fetch_add(points.saturating_sub(*rejected), Relaxed);
                return if none { Fate::Refused } else { Fate::Unknown };
            }
        };
        counter.fetch_add(points, Relaxed);
        if let Ending::Refused(why) | Ending::Undelivered(why) | Ending::Unknown(why) = ending {
            self.counters.complain(why);
        }
        fate
    }
}

/// What two answers to the same bytes come to: one success is a success.
fn either(first: Answer, second: Answer, touched: &mut bool) -> Answer {
    let rank = |answer: &Answer| match answer {
        Answer::Accepted => 0,
        Answer::Partial { .. } => 1,
        Answer::Again { .. } => 2,
        Answer::NoConnection(_) => 3,
        Answer::Refused(_) => 4,
    };
    *touched |= [&first, &second].into_iter().any(|answer| matches!(answer, Answer::Again { .. }));
    if rank(&first) <= rank(&second) { first } else { second }
}
