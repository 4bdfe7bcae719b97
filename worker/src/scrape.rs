//! Scrape: the same series as remote write, as text, for whoever asks.
//!
//! One endpoint serves all shards of a process: a family must stand in one piece, and its streams are spread over the
//! shards. So the endpoint merges the shards' lists of families and, family by family, hands the text from one shard to the
//! next to append to. It is written piece by piece as the scraper reads, so a scrape holds one piece however many streams
//! there are, and each piece is one short event for a shard's thread.
//!
//! Only resources are told by several shards alike, since a resource's streams are spread. A line of theirs is written once.
//!
//! No timestamps, no zero samples: a scrape tells what is live now. A stream that ended is left out, which is how a scraper
//! learns of it.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http_body::Frame;
use shardset_export::{Exposition, FamilyType, TextFormat};
use shardset_model::ShardIndex;
use xxhash_rust::xxh3::xxh3_64;

use crate::pipeline::Worker;
use crate::shard::{Event, FamilyKey, Gone, Mailbox};

/// Text goes out in pieces of about this size.
const PIECE_BYTES: usize = 64 * 1024;

/// What a scrape reads: the shards of the workers that run in this process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Sources(Arc<Mutex<BTreeMap<ShardIndex, Mailbox>>>);

impl Sources {
    /// This worker's shard is read from now on.
    pub fn insert(&self, worker: &Worker) {
        self.lock().insert(worker.shard(), worker.mailbox());
    }

    /// The worker of this shard stops.
    pub fn remove(&self, shard: ShardIndex) {
        self.lock().remove(&shard);
    }

    fn all(&self) -> Vec<Mailbox> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ShardIndex, Mailbox>> {
        // A table is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `/metrics` over these shards, for a server of the caller's own.
pub fn router(sources: Sources) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(sources)
}

async fn scrape(State(sources): State<Sources>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let format = TextFormat::accepted(accept);
    let text = Text::begin(sources.all(), format);
    ([(header::CONTENT_TYPE, format.content_type())], Body::new(text)).into_response()
}

/// A body that is written while it is read. It ends in an error where a shard stops meanwhile, so that a scraper does not
/// take half of the series for all of them.
struct Text {
    next: Option<Writing>,
}

/// A piece that is being written.
type Writing = Pin<Box<dyn Future<Output = Result<Piece, Gone>> + Send>>;

/// A piece of text, and whoever writes the rest.
struct Piece {
    text: Bytes,
    rest: Option<Writer>,
}

impl Text {
    fn begin(sources: Vec<Mailbox>, format: TextFormat) -> Self {
        let shards = sources.into_iter().map(Shard::new).collect();
        let writer = Writer {
            shards,
            format,
            exposition: Exposition::new(format),
            text: String::new(),
            resources: HashSet::new(),
            at: None,
        };
        Self { next: Some(Box::pin(writer.piece())) }
    }
}

impl http_body::Body for Text {
    type Data = Bytes;
    type Error = Gone;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Gone>>> {
        let Some(writing) = self.next.as_mut() else { return Poll::Ready(None) };
        let piece = ready!(writing.as_mut().poll(context));
        self.next = None;
        let Piece { text, rest } = match piece {
            Ok(piece) => piece,
            Err(gone) => return Poll::Ready(Some(Err(gone))),
        };
        self.next = rest.map(|writer| Box::pin(writer.piece()) as _);
        Poll::Ready(Some(Ok(Frame::data(text))))
    }
}

/// Writes the text of all shards.
struct Writer {
    shards: Vec<Shard>,
    format: TextFormat,
    exposition: Exposition,
    /// What is written and not read yet.
    text: String,
    /// Hashes of the lines about resources.
    resources: HashSet<u64>,
    at: Option<Place>,
}

/// Within which family of which shard the writer is.
struct Place {
    family: FamilyKey,
    shard: usize,
    from: u32,
}

impl Writer {
    /// Writes until a piece is full or everything is written.
    async fn piece(mut self) -> Result<Piece, Gone> {
        while self.text.len() < PIECE_BYTES {
            let Some(place) = self.place().await? else {
                self.text.push_str(&self.exposition.finish());
                return Ok(Piece { text: self.text.into(), rest: None });
            };
            self.write(place).await?;
        }
        Ok(Piece { text: std::mem::take(&mut self.text).into(), rest: Some(self) })
    }

    /// Where to go on: within the family begun, else with the first family of any shard.
    async fn place(&mut self) -> Result<Option<Place>, Gone> {
        if let Some(place) = self.at.take() {
            return Ok(Some(place));
        }
        for shard in &mut self.shards {
            shard.fill().await?;
        }
        let first = self.shards.iter().filter_map(|shard| shard.families.front()).min().cloned();
        Ok(first.map(|family| Place { family, shard: 0, from: 0 }))
    }

    /// Writes a part of a family, and remembers where it goes on.
    async fn write(&mut self, place: Place) -> Result<(), Gone> {
        let Place { family, shard, from } = place;
        let Some(source) = self.shards.get_mut(shard) else { return Ok(()) };
        if source.families.front() != Some(&family) {
            self.at = Some(Place { family, shard: shard + 1, from: 0 });
            return Ok(());
        }
        let exposition = std::mem::replace(&mut self.exposition, Exposition::new(self.format));
        let asked = family.clone();
        let mut part = source.mailbox.ask(|reply| Event::Text { family: asked, from, exposition, reply }).await?;
        let text = part.exposition.take();
        self.exposition = part.exposition;
        if family.1 == FamilyType::Info {
            text.split_inclusive('\n')
                .filter(|line| self.resources.insert(xxh3_64(line.as_bytes())))
                .for_each(|line| self.text.push_str(line));
        } else {
            self.text.push_str(&text);
        }
        self.at = Some(match part.next {
            Some(from) => Place { family, shard, from },
            None => {
                source.families.pop_front();
                Place { family, shard: shard + 1, from: 0 }
            }
        });
        Ok(())
    }
}

/// One shard's families that are not written yet, in their order, page by page.
struct Shard {
    mailbox: Mailbox,
    families: VecDeque<FamilyKey>,
    newest: Option<FamilyKey>,
    listed: bool,
}

impl Shard {
    fn new(source: Mailbox) -> Self {
        Self { mailbox: source, families: VecDeque::new(), newest: None, listed: false }
    }

    /// Makes sure that a family is at hand, if there is one more.
    async fn fill(&mut self) -> Result<(), Gone> {
        if !self.families.is_empty() || self.listed {
            return Ok(());
        }
        let after = self.newest.clone();
        self.families = self.mailbox.ask(|reply| Event::Families { after, reply }).await?.into();
        self.newest = self.families.back().cloned();
        self.listed = self.families.is_empty();
        Ok(())
    }
}
