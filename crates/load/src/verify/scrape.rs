//! Prometheus text 0.0.4 and OpenMetrics 1.0, as far as samples go: comments and exemplars are skipped.
//!
//! The text is read line by line as it comes: an endpoint with a million series is hundreds of megabytes.

use super::expected::Expected;
use super::{VerifyError, get};

/// One line's sample. Label values are unescaped.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Sample<'a> {
    pub(super) name: &'a str,
    pub(super) labels: Vec<(&'a str, String)>,
    pub(super) value: f64,
}

/// Reads everything that `url` shows.
pub(super) async fn scrape(client: &reqwest::Client, url: &str, expected: &mut Expected) -> Result<(), VerifyError> {
    let parsed = reqwest::Url::parse(url).map_err(|_| VerifyError::Url(url.to_owned()))?;
    let failed = |source| VerifyError::Http { url: url.to_owned(), source };
    let mut response = get(client, parsed).await?;
    let mut rest = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        rest.extend_from_slice(&chunk);
        let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else { continue };
        lines(url, &rest[..end], expected)?;
        rest.drain(..=end);
    }
    lines(url, &rest, expected)
}

fn lines(url: &str, text: &[u8], expected: &mut Expected) -> Result<(), VerifyError> {
    let wrong = |what: String| VerifyError::Format { url: url.to_owned(), what };
    let text = std::str::from_utf8(text).map_err(|error| wrong(error.to_string()))?;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let sample = parse(line).ok_or_else(|| wrong(format!("`{line}`")))?;
        let labels = sample.labels.iter().map(|(name, value)| (*name, value.as_str()));
        expected.observe(sample.name, labels, sample.value);
    }
    Ok(())
}

/// `name{label="value",...} value [time] [# exemplar]`.
pub(super) fn parse(line: &str) -> Option<Sample<'_>> {
    let name_end = line.find(['{', ' ', '\t'])?;
    let (name, rest) = line.split_at(name_end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    if name.is_empty() { None } else { Some(Sample { name, labels, value }) }
}

/// The labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, value) = rest.split_once('=')?;
        let (value, after) = quoted(value.trim_start().strip_prefix('"')?)?;
        labels.push((name.trim(), value));
        rest = after;
    }
}

/// The value up to the closing quote, and what follows it. Escapes are `\\`, `\"` and `\n`.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn samples_are_read_as_both_formats_write_them() {
        let read = |line| {
            let sample = parse(line).unwrap_or_else(|| panic!("{line}"));
            let labels: Vec<String> = sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            (sample.name.to_owned(), labels.join(";"), sample.value)
        };
        let cases = [
            ("up 1", "up", "", 1.0),
            ("up{} 1", "up", "", 1.0),
            (r#"a_total{b="c"} 1.5e3 1395066363000"#, "a_total", "b=c", 1500.0),
            (r#"a_total{b="c",d="e f",} 2"#, "a_total", "b=c;d=e f", 2.0),
            (r#"a_total{ b = "c" , d="}" } 2"#, "a_total", "b=c;d=}", 2.0),
            (r#"a{b="q\"u\\o\nte"} -0.25"#, "a", "b=q\"u\\o\nte", -0.25),
            (r#"a_bucket{le="+Inf"} 3 # {trace_id="x"} 0.5 1.0"#, "a_bucket", "le=+Inf", 3.0),
            ("a +Inf", "a", "", f64::INFINITY),
        ];
        for (line, name, labels, value) in cases {
            assert_eq!(read(line), (name.to_owned(), labels.to_owned(), value), "{line}");
        }
        assert!(read("a NaN").2.is_nan());
    }

    #[test]
    fn what_is_no_sample_is_not_guessed_at() {
        for line in ["", "a", "a{b=c} 1", r#"a{b="c} 1"#, r#"a{b="c"}"#, "{} 1", "a one"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
