//! The one-way street: no stage of a role imports a later stage.
//!
//! Data only moves on; what comes back is acknowledgement, and that comes back as a value. A stage that names a later one
//! can no longer be read, tested or replaced without it. Where stages are put together is `pipeline.rs`, which is no stage.

use crate::Finding;
use crate::source::Source;

/// The stages of each role, in the order that data takes.
const STREETS: &[(&str, &[&str])] = &[
    ("gateway/src/", &["receive", "identify", "route", "deliver"]),
    ("worker/src/", &["admit", "accumulate", "persist", "export"]),
];

/// Acknowledgements, the one thing that comes back: a stage may name the later one's type for it.
const ACKNOWLEDGEMENTS: &[(&str, &[&str])] = &[("worker/src/", &["persist", "Answered"])];

/// Imports of later stages in one file.
pub fn findings(source: &Source) -> Vec<Finding> {
    let Some((module, stages)) = STREETS.iter().find_map(|(root, stages)| Some((module_of(source, root)?, *stages)))
    else {
        return Vec::new();
    };
    let Some(here) = stages.iter().position(|stage| *stage == module[0]) else { return Vec::new() };
    let later = &stages[here + 1..];
    let named = source.product_paths().into_iter().filter_map(|(path, line)| Some((resolve(&module, &path)?, line)));
    named
        .filter(|(path, _)| later.contains(&path[0].as_str()) && !is_acknowledgement(source, path))
        .map(|(path, line)| {
            let what = format!("`{}` names the later stage `{}`: hand it over in pipeline.rs", module[0], path[0]);
            Finding::new(&source.path, line, what)
        })
        .collect()
}

fn is_acknowledgement(source: &Source, path: &[String]) -> bool {
    ACKNOWLEDGEMENTS.iter().any(|(root, named)| source.path.starts_with(root) && path == *named)
}

/// The module path of a file below `root`: `src/receive/http.rs` is `[receive, http]`.
fn module_of(source: &Source, root: &str) -> Option<Vec<String>> {
    let below = source.path.strip_prefix(root)?.strip_suffix(".rs")?;
    Some(below.split('/').map(str::to_owned).collect())
}

/// A path as seen from the crate's root, where it points into the crate and below its root.
fn resolve(module: &[String], path: &[String]) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let (base, rest) = match path.first()?.as_str() {
        "crate" => (&[][..], &path[1..]),
        "self" => (module, &path[1..]),
        "super" => (&module[..module.len().checked_sub(ups)?], &path[ups..]),
        _ => return None,
    };
    let resolved: Vec<String> = base.iter().chain(rest).cloned().collect();
    (!resolved.is_empty()).then_some(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        findings(&Source::parse(path, text).unwrap()).len()
    }

    #[test]
    fn a_stage_that_names_a_later_one_is_found_however_it_is_spelled() {
        assert_eq!(found("gateway/src/receive.rs", "use crate::deliver::Deliver;"), 1);
        assert_eq!(found("gateway/src/receive/http.rs", "use super::super::route;"), 1);
        assert_eq!(found("gateway/src/receive.rs", "fn a() { super::deliver::send() }"), 1);
        assert_eq!(found("worker/src/admit.rs", "use crate::{accumulate::A, export};"), 2);
    }

    #[test]
    fn an_acknowledgement_may_be_named_and_nothing_else_of_its_stage() {
        assert_eq!(found("worker/src/admit.rs", "use crate::persist::Answered;"), 0);
        assert_eq!(found("worker/src/admit.rs", "use crate::persist::{Answered, Journal};"), 1);
        assert_eq!(found("gateway/src/receive.rs", "use crate::deliver::Answered;"), 1);
    }

    #[test]
    fn earlier_stages_own_parts_and_the_pipeline_are_free() {
        assert_eq!(found("gateway/src/deliver.rs", "use crate::receive::Request;"), 0);
        assert_eq!(found("gateway/src/receive.rs", "use self::http::serve;\nuse crate::receive::grpc;"), 0);
        assert_eq!(found("gateway/src/pipeline.rs", "use crate::{receive, deliver};"), 0);
        assert_eq!(found("gateway/src/receive.rs", "use hyper::deliver::A;"), 0);
    }
}
