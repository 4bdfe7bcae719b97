//! A status as a table for people.

use std::fmt::Write;

use super::view::{View, WorkerView};

const HEAD: [&str; 8] = ["SHARD", "EPOCH", "PHASE", "STREAMS", "SENT", "WAITS FOR", "PARKED", "INCARNATION"];

/// The table, with what is waited for below.
pub(super) fn render(view: &View) -> String {
    let mut text = String::new();
    match &view.membership {
        None => text.push_str("no membership is published\n"),
        Some(m) => {
            let change = if m.phase == "Moving" { format!(", from {}", m.previous_shards) } else { String::new() };
            let (epoch, phase, shards, routing) = (m.epoch, &m.phase, m.shards, &m.routing);
            line(&mut text, format_args!("epoch {epoch} {phase}: {shards} shards{change}, routed by {routing}"));
        }
    }
    let rows: Vec<[String; 8]> = std::iter::once(HEAD.map(str::to_owned)).chain(view.workers.iter().map(row)).collect();
    let widths: Vec<usize> =
        (0..HEAD.len()).map(|at| rows.iter().map(|row| row[at].len()).max().unwrap_or(0)).collect();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        line(&mut text, format_args!("{}", cells.join("  ").trim_end()));
    }
    let unable = view.workers.iter().filter_map(|worker| Some((worker.shard, worker.unable.as_ref()?)));
    unable.for_each(|(shard, why)| line(&mut text, format_args!("worker {shard}: {why}")));
    view.waiting.iter().for_each(|waiting| line(&mut text, format_args!("waiting: {waiting}")));
    text
}

fn row(worker: &WorkerView) -> [String; 8] {
    if !worker.answers {
        let unknown = || "-".to_owned();
        return [
            worker.shard.to_string(),
            unknown(),
            if worker.unable.is_some() { "unable" } else { "does not answer" }.to_owned(),
            unknown(),
            unknown(),
            unknown(),
            unknown(),
            unknown(),
        ];
    }
    let epoch = if worker.epoch == 0 { "none".to_owned() } else { worker.epoch.to_string() };
    let sent = if worker.to_send == 0 { "-".to_owned() } else { format!("{}/{}", worker.sent, worker.to_send) };
    [
        worker.shard.to_string(),
        epoch,
        worker.phase.clone(),
        worker.streams.to_string(),
        sent,
        worker.waits_for.to_string(),
        worker.parked_points.to_string(),
        worker.incarnation.clone(),
    ]
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::status::view::{MembershipView, View, WorkerView};

    #[test]
    fn a_move_is_seen_at_a_glance() {
        let membership = MembershipView {
            epoch: 42,
            shards: 3,
            previous_shards: 2,
            phase: "Moving".into(),
            routing: "streamID".into(),
        };
        let worker = WorkerView {
            shard: 0,
            answers: true,
            incarnation: "00ff".into(),
            epoch: 42,
            phase: "Moving".into(),
            streams: 1200,
            sent: 30,
            to_send: 400,
            ..WorkerView::default()
        };
        let away = WorkerView { shard: 1, ..WorkerView::default() };
        let full = WorkerView { shard: 2, unable: Some("its disk is full".into()), ..WorkerView::default() };
        let waiting = vec!["worker 1 does not answer".to_owned()];
        let text = render(&View { membership: Some(membership), waiting, workers: vec![worker, away, full] });
        let expected = "\
epoch 42 Moving: 3 shards, from 2, routed by streamID
SHARD  EPOCH  PHASE            STREAMS  SENT    WAITS FOR  PARKED  INCARNATION
0      42     Moving           1200     30/400  0          0       00ff
1      -      does not answer  -        -       -          -       -
2      -      unable           -        -       -          -       -
worker 2: its disk is full
waiting: worker 1 does not answer
";
        assert_eq!(text, expected);
    }
}
