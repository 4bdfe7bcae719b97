//! What a backend of remote write answers.
//!
//! | status | meaning |
//! | --- | --- |
//! | 2xx | stored |
//! | 5xx, 408, 429 | not now |
//! | 400, 409, 413, 422 | something in it is refused |
//! | any other | the destination is set up wrongly |

use http::{HeaderMap, StatusCode};
use reqwest::Response;
use shardset_wire::ExportAnswer;

use super::answer::{Answer, Cause, Later, RetryAfter, beginning};
use super::rejection::Rejection;

/// Reads an answer, of its body only the beginning.
pub(super) async fn read(mut response: Response) -> Answer {
    let status = response.status();
    if status.is_success() {
        return Answer::Taken(ExportAnswer::default());
    }
    let body = beginning(&mut response).await;
    answer(status, response.headers(), &String::from_utf8_lossy(&body))
}

fn answer(status: StatusCode, headers: &HeaderMap, body: &str) -> Answer {
    let later = |cause| {
        let told = format!("{status} {}", Rejection::beginning(body));
        Answer::Later(Later { cause, retry_after: RetryAfter::of(headers), told })
    };
    match status {
        StatusCode::BAD_REQUEST
        | StatusCode::CONFLICT
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => Answer::Refused(Rejection::read(status, body)),
        StatusCode::TOO_MANY_REQUESTS => later(Cause::TooManyRequests),
        StatusCode::REQUEST_TIMEOUT => later(Cause::Timeout),
        status if status.is_server_error() => later(Cause::ServerError),
        _ => later(Cause::Misconfigured),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::answer;

    #[test]
    fn every_status_has_a_meaning() {
        let later = [408, 429, 500, 503, 599].map(|code| (code, "later"));
        let refused = [400, 409, 413, 422].map(|code| (code, "refused"));
        let misconfigured = [301, 401, 403, 404, 415].map(|code| (code, "misconfigured"));
        for (code, expected) in [&later[..], &refused, &misconfigured].concat() {
            let answer = answer(StatusCode::from_u16(code).unwrap(), &HeaderMap::new(), "");
            assert_eq!(answer.meaning(), expected, "{code}");
        }
    }
}
