//! How long to pause before the next attempt.
//!
//! Pauses double from 30 ms to 5 s and are shortened by up to a half at random, so that many workers do not come back in
//! step. A server that names a time, by `Retry-After` (in seconds or as a date) or by `RetryInfo`, gets that on top, up to a minute.
//!
//! Pure but for the generator's counter; the time is an argument.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use shardset_model::UnixNanos;

use super::answer::{Later, RetryAfter};
use super::settings::RetrySettings;

/// Pauses, with their jitter.
#[derive(Debug)]
pub(super) struct Backoff {
    settings: RetrySettings,
    /// The state of a SplitMix64 generator: a counter that is mixed. Good enough to keep processes apart.
    state: AtomicU64,
}

impl Backoff {
    pub(super) const fn new(settings: RetrySettings, seed: u64) -> Self {
        Self { settings, state: AtomicU64::new(seed) }
    }

    /// The pause after attempt number `attempt`, from 0.
    pub(super) fn pause(&self, later: &Later, attempt: u32, now: UnixNanos) -> Duration {
        if later.cause.is_misconfiguration() {
            return self.jitter(self.settings.misconfigured);
        }
        let doubled = self.settings.first.saturating_mul(1 << attempt.min(20));
        let own = self.jitter(doubled.min(self.settings.longest));
        let asked = match &later.retry_after {
            Some(RetryAfter::Header(text)) => retry_after(text, now).unwrap_or_default(),
            Some(RetryAfter::Delay(delay)) => *delay,
            None => Duration::ZERO,
        };
        own + asked.min(self.settings.longest_asked)
    }

    /// Between half of a pause and the whole.
    fn jitter(&self, pause: Duration) -> Duration {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self.state.fetch_add(GOLDEN, Ordering::Relaxed).wrapping_add(GOLDEN);
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let share = ((mixed ^ mixed >> 31) >> 11) as f64 / (1u64 << 53) as f64;
        pause.mul_f64(0.5 + share / 2.0)
    }
}

/// `Retry-After` as a pause (RFC 9110, 10.2.3); nothing for what is neither seconds nor a date, and for dates gone by.
fn retry_after(text: &str, now: UnixNanos) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    date.duration_since(UNIX_EPOCH).ok()?.checked_sub(Duration::from_nanos(now.0))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shardset_model::UnixNanos;

    use super::{Backoff, retry_after};
    use crate::client::answer::{Cause, Later, RetryAfter};
    use crate::client::settings::RetrySettings;

    const NOW: UnixNanos = UnixNanos(784_111_777_000_000_000); // Sun, 06 Nov 1994 08:49:37 GMT

    fn later(cause: Cause, retry_after: Option<&str>) -> Later {
        let retry_after = retry_after.map(|text| RetryAfter::Header(text.to_owned()));
        Later { cause, retry_after, told: String::new() }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_never_vanish() {
        let backoff = Backoff::new(RetrySettings::default(), 7);
        for (attempt, longest) in [(0, 30), (1, 60), (4, 480), (8, 5_000), (4_000_000, 5_000)] {
            for _ in 0..100 {
                let pause = backoff.pause(&later(Cause::Transport, None), attempt, NOW).as_millis();
                assert!(pause >= longest / 2 && pause <= longest, "{pause} ms after attempt {attempt}");
            }
        }
    }

    #[test]
    fn two_seeds_pause_differently_and_one_seed_alike() {
        let pause = |seed| Backoff::new(RetrySettings::default(), seed).pause(&later(Cause::ServerError, None), 8, NOW);
        assert_eq!(pause(1), pause(1));
        assert_ne!(pause(1), pause(2));
    }

    #[test]
    fn what_the_server_asks_for_is_honoured_up_to_a_minute() {
        let backoff = Backoff::new(RetrySettings::default(), 0);
        let own = Duration::from_millis(15)..=Duration::from_millis(30);
        for (asked, seconds) in
            [("7", 7), ("86400", 60), ("0", 0), ("soon", 0), ("-1", 0), ("Sun, 06 Nov 1994 08:49:47 GMT", 10)]
        {
            let pause = backoff.pause(&later(Cause::TooManyRequests, Some(asked)), 0, NOW);
            assert!(own.contains(&(pause - Duration::from_secs(seconds))), "{pause:?} for {asked:?}");
        }
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:00:00 GMT", NOW), None, "that was before");
        for (asked, seconds) in [(7, 7), (86_400, 60)] {
            let delay = Some(RetryAfter::Delay(Duration::from_secs(asked)));
            let pause = backoff.pause(&Later { retry_after: delay, ..later(Cause::ServerError, None) }, 0, NOW);
            assert!(own.contains(&(pause - Duration::from_secs(seconds))), "{pause:?} for {asked} s");
        }
    }

    #[test]
    fn a_wrong_setting_is_tried_again_slowly() {
        let backoff = Backoff::new(RetrySettings::default(), 0);
        for cause in [Cause::Misconfigured, Cause::Credentials] {
            assert!(backoff.pause(&later(cause, None), 0, NOW) >= Duration::from_secs(15));
        }
    }
}
