//! OTLP/HTTP: `POST /v1/metrics`, protobuf or JSON, under any of the served content encodings.
//!
//! A request passes three gates in this order: what it is (path, method, types; from its head alone), its bytes (read,
//! decompressed, turned into protobuf, all of it paid for), and what the next stage says of it. The first gate that
//! refuses says why, in the request's own encoding.

mod head;
mod reply;

use bytes::Bytes;
use http_body_util::{BodyExt, Full as FullBody};
use hyper::body::{Body as _, Incoming};
use shardset_otlp::json;

use super::buffer::{Buffer, Full};
use super::decompress::{DecompressError, Encoding, decompress};
use super::listen::Serve;
use super::meter::ReadError;
use super::metrics::{Attended, ProtocolLabel};
use super::{Answer, Intake, Outcome, Protocol, Request, Reservation, Shared};
use head::Head;
use reply::Refusal;

/// The HTTP port.
#[derive(Clone)]
pub(super) struct Http<I> {
    shared: Shared<I>,
}

impl<I: Intake> Http<I> {
    pub(super) fn new(shared: Shared<I>) -> Self {
        Self { shared }
    }

    async fn answer(
        &self,
        request: http::Request<Incoming>,
        attended: &mut Attended,
    ) -> Result<reply::Success, Refusal> {
        let head = Head::read(&request)?;
        attended.is_of(head.protocol);
        let reservation = self.shared.budget.open();
        let body = self.read(request.into_body(), &head, &reservation).await?;
        self.shared.metrics.taken(head.protocol, body.len());
        match self.shared.intake.take(Request { body, protocol: head.protocol, reservation }).await {
            Answer::Accepted { rejected_points, message } => Ok(reply::Success { rejected_points, message }),
            Answer::Malformed { message } => Err(Refusal::Malformed(message)),
            Answer::Unavailable { message, retry_after } => Err(Refusal::Unavailable { message, retry_after }),
        }
    }

    /// The body as plain protobuf.
    async fn read(&self, body: Incoming, head: &Head, reservation: &Reservation) -> Result<Bytes, Refusal> {
        let received = self.collect(body, head.protocol, reservation).await?;
        let plain = match head.encoding {
            Encoding::Identity => received,
            encoding => {
                let mut plain = self.buffer(reservation);
                decompress(encoding, received.as_slice(), &mut plain).map_err(|error| self.undecompressed(error))?;
                plain
            }
        };
        match head.protocol {
            Protocol::HttpJson => self.protobuf(&plain, reservation),
            Protocol::HttpProtobuf | Protocol::Grpc => Ok(plain.freeze()),
        }
    }

    /// The body as it comes in.
    async fn collect(&self, body: Incoming, protocol: Protocol, reservation: &Reservation) -> Result<Buffer, Refusal> {
        let limit = self.shared.settings.message_bytes_max;
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > limit {
            return Err(Refusal::TooLarge(Full::TooLarge { limit }.to_string()));
        }
        let mut buffer = self.buffer(reservation).expecting(announced);
        let mut body = self.shared.metered(body, reservation.clone(), limit, protocol);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| self.unread(&error))?.into_data() else { continue };
            buffer.extend(&data).map_err(|full| self.full(full))?;
            reservation.shrink(data.len());
        }
        Ok(buffer)
    }

    /// JSON as canonical protobuf.
    fn protobuf(&self, plain: &Buffer, reservation: &Reservation) -> Result<Bytes, Refusal> {
        let limit = self.shared.settings.message_bytes_max;
        let bound = json::output_bound(plain.as_slice().len()).min(limit);
        // Twice, since fields that have to be put in order are copied once.
        reservation.grow(2 * bound).map_err(|over| self.full(over.into()))?;
        let protobuf = json::to_protobuf(plain.as_slice(), bound);
        reservation.shrink(2 * bound - protobuf.as_ref().map_or(0, Vec::capacity).min(2 * bound));
        protobuf.map(Bytes::from).map_err(|error| match error {
            json::JsonError::TooLarge { .. } => Refusal::TooLarge(error.to_string()),
            other => Refusal::Malformed(other.to_string()),
        })
    }

    fn buffer(&self, reservation: &Reservation) -> Buffer {
        Buffer::new(reservation.clone(), self.shared.settings.message_bytes_max)
    }

    fn full(&self, full: Full) -> Refusal {
        match full {
            Full::TooLarge { .. } => Refusal::TooLarge(full.to_string()),
            Full::OverBudget(_) => self.unavailable(full.to_string()),
        }
    }

    fn unread(&self, error: &ReadError) -> Refusal {
        match error {
            ReadError::Full(full) => self.full(*full),
            ReadError::TooSlow(_) => self.unavailable(error.to_string()),
            ReadError::Gone(_) => Refusal::Gone,
        }
    }

    fn undecompressed(&self, error: DecompressError) -> Refusal {
        match error {
            DecompressError::Full(full) => self.full(full),
            DecompressError::Broken { ref source, .. } => Refusal::Malformed(format!("{error}: {source}")),
        }
    }

    fn unavailable(&self, message: String) -> Refusal {
        Refusal::Unavailable { message, retry_after: self.shared.settings.retry_after }
    }
}

impl<I: Intake> Serve for Http<I> {
    type Body = FullBody<Bytes>;
    const LABEL: ProtocolLabel = ProtocolLabel::Http;

    async fn serve(&self, request: http::Request<Incoming>) -> http::Response<FullBody<Bytes>> {
        let format = head::format(request.headers());
        let mut attended = self.shared.metrics.begin(ProtocolLabel::Http);
        let answer = self.answer(request, &mut attended).await;
        attended.ended(match &answer {
            Ok(success) if success.is_full() => Outcome::Accepted,
            Ok(_) => Outcome::Partial,
            Err(refusal) => refusal.outcome(),
        });
        match answer {
            Ok(success) => success.write(format),
            Err(refusal) => refusal.write(format),
        }
    }
}
