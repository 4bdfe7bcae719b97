//! The metrics that sessions send, each with the name that Prometheus shows it under.
//!
//! The first eight are all that Claude Code has: names, units and descriptions are its documented interface. The
//! Prometheus names are written out, not computed, so that a mistake in Shardset's translation is found and not repeated.
//! The others are ours, for the kinds of point that Claude Code does not send.

/// A metric.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Metric {
    /// OTLP's name.
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) description: &'static str,
    /// The name in Prometheus, default naming strategy, without the suffixes of a histogram's parts.
    pub(crate) prometheus: &'static str,
    pub(crate) kind: Kind,
}

/// What a metric's points are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Kind {
    /// Delta, monotonic.
    Counter,
    /// Delta, rises and falls.
    UpDown,
    /// Cumulative, monotonic.
    Cumulative,
    /// A gauge.
    Gauge,
    /// Delta, with [`BOUNDS`].
    Histogram,
    /// Delta, with [`EXPONENTIAL_SCALE`].
    Exponential,
}

/// One of the numbers that a stream shows itself by.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Component {
    /// What follows the metric's name.
    pub(crate) suffix: &'static str,
    /// The upper bound of a bucket.
    pub(crate) le: Option<f64>,
}

/// Bounds of all histograms, in seconds.
pub(crate) const BOUNDS: [f64; 7] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Scale of all exponential histograms: 8 buckets per power of two.
pub(crate) const EXPONENTIAL_SCALE: i32 = 3;

/// The scope of Claude Code's meter.
pub(crate) const SCOPE: &str = "com.anthropic.claude_code";

pub(crate) static SESSION_COUNT: Metric = Metric {
    name: "claude_code.session.count",
    unit: "",
    description: "Count of CLI sessions started",
    prometheus: "claude_code_session_count_total",
    kind: Kind::Counter,
};
pub(crate) static LINES_OF_CODE: Metric = Metric {
    name: "claude_code.lines_of_code.count",
    unit: "",
    description: "Count of lines of code modified",
    prometheus: "claude_code_lines_of_code_count_total",
    kind: Kind::Counter,
};
pub(crate) static PULL_REQUESTS: Metric = Metric {
    name: "claude_code.pull_request.count",
    unit: "",
    description: "Number of pull requests created",
    prometheus: "claude_code_pull_request_count_total",
    kind: Kind::Counter,
};
pub(crate) static COMMITS: Metric = Metric {
    name: "claude_code.commit.count",
    unit: "",
    description: "Number of git commits created",
    prometheus: "claude_code_commit_count_total",
    kind: Kind::Counter,
};
pub(crate) static COST: Metric = Metric {
    name: "claude_code.cost.usage",
    unit: "USD",
    description: "Cost of the Claude Code session",
    prometheus: "claude_code_cost_usage_USD_total",
    kind: Kind::Counter,
};
pub(crate) static TOKENS: Metric = Metric {
    name: "claude_code.token.usage",
    unit: "tokens",
    description: "Number of tokens used",
    prometheus: "claude_code_token_usage_tokens_total",
    kind: Kind::Counter,
};
pub(crate) static DECISIONS: Metric = Metric {
    name: "claude_code.code_edit_tool.decision",
    unit: "",
    description: "Count of code editing tool permission decisions",
    prometheus: "claude_code_code_edit_tool_decision_total",
    kind: Kind::Counter,
};
pub(crate) static ACTIVE_TIME: Metric = Metric {
    name: "claude_code.active_time.total",
    unit: "s",
    description: "Total active time in seconds",
    prometheus: "claude_code_active_time_seconds_total",
    kind: Kind::Counter,
};
pub(crate) static DURATION: Metric = Metric {
    name: "load.request.duration",
    unit: "s",
    description: "How long requests took",
    prometheus: "load_request_duration_seconds",
    kind: Kind::Histogram,
};
pub(crate) static SIZE: Metric = Metric {
    name: "load.request.size",
    unit: "By",
    description: "How large requests were",
    prometheus: "load_request_size_bytes",
    kind: Kind::Exponential,
};
pub(crate) static QUEUE: Metric = Metric {
    name: "load.queue.length",
    unit: "{item}",
    description: "Items that wait",
    prometheus: "load_queue_length",
    kind: Kind::UpDown,
};
pub(crate) static HANDLED: Metric = Metric {
    name: "load.items.handled",
    unit: "{item}",
    description: "Items handled since the session began",
    prometheus: "load_items_handled_total",
    kind: Kind::Cumulative,
};
pub(crate) static TEMPERATURE: Metric = Metric {
    name: "load.temperature",
    unit: "Cel",
    description: "How hot it is",
    prometheus: "load_temperature_celsius",
    kind: Kind::Gauge,
};

/// All of them.
pub(crate) static METRICS: [&Metric; 13] = [
    &SESSION_COUNT,
    &LINES_OF_CODE,
    &PULL_REQUESTS,
    &COMMITS,
    &COST,
    &TOKENS,
    &DECISIONS,
    &ACTIVE_TIME,
    &DURATION,
    &SIZE,
    &QUEUE,
    &HANDLED,
    &TEMPERATURE,
];

/// The attributes that belong to a session and stand on each of its points, in order.
pub(crate) const SESSION_KEYS: [&str; 8] = [
    "app.version",
    "organization.id",
    "session.id",
    "terminal.type",
    "user.account_id",
    "user.account_uuid",
    "user.email",
    "user.id",
];

/// The attributes that tell a session's streams apart, in order.
pub(crate) const STREAM_KEYS: [&str; 11] = [
    "decision",
    "effort",
    "language",
    "model",
    "query_source",
    "route",
    "source",
    "speed",
    "start_type",
    "tool_name",
    "type",
];

impl Kind {
    /// The numbers that a stream of this kind shows itself by, in the order in which [`crate::Ledger`] keeps them.
    pub(crate) fn components(self) -> Vec<Component> {
        let part = |suffix| Component { suffix, le: None };
        match self {
            Self::Counter | Self::UpDown | Self::Cumulative | Self::Gauge => vec![part("")],
            Self::Exponential => vec![part("_count"), part("_sum")],
            Self::Histogram => {
                let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
                let buckets = bounds.map(|bound| Component { suffix: "_bucket", le: Some(bound) });
                [part("_count"), part("_sum")].into_iter().chain(buckets).collect()
            }
        }
    }

    /// Whether the newest point stands for the stream, instead of the sum of all.
    pub(crate) const fn is_latest(self) -> bool {
        matches!(self, Self::Cumulative | Self::Gauge)
    }
}

/// Labels in one canonical writing: sorted by name, OTLP's dots as underscores. The values used here contain neither
/// comma nor equals sign.
pub(crate) fn canonical<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut labels: Vec<String> = labels.map(|(name, value)| format!("{}={value}", name.replace('.', "_"))).collect();
    labels.sort_unstable();
    labels.join(",")
}

#[cfg(test)]
mod tests {
    use super::{METRICS, SESSION_KEYS, STREAM_KEYS, canonical};

    #[test]
    fn canonical_labels_do_not_depend_on_the_order() {
        let labels = [("user.id", "1"), ("session.id", "2")];
        assert_eq!(canonical(labels.into_iter()), "session_id=2,user_id=1");
        assert_eq!(canonical(labels.into_iter().rev()), "session_id=2,user_id=1");
    }

    #[test]
    fn names_are_distinct_and_keys_are_in_order() {
        let names: std::collections::BTreeSet<_> = METRICS.iter().map(|metric| metric.prometheus).collect();
        assert_eq!(names.len(), METRICS.len());
        assert!(SESSION_KEYS.is_sorted() && STREAM_KEYS.is_sorted());
    }
}
