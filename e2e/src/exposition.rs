//! The Prometheus text format, read as far as tests need it: series and their values.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};

/// One page of metrics.
#[derive(Debug)]
pub struct Exposition {
    /// The page itself.
    pub text: String,
    series: Vec<Series>,
}

#[derive(Debug)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Exposition {
    /// Gets and reads a page.
    ///
    /// # Errors
    ///
    /// When the server does not answer with success, or not in the text format.
    pub async fn read(url: &str) -> anyhow::Result<Self> {
        let response = reqwest::get(url).await?;
        ensure!(response.status().is_success(), "{url} answers {}", response.status());
        Self::parse(response.text().await?)
    }

    pub(crate) fn parse(text: String) -> anyhow::Result<Self> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let series = lines.map(|line| parse_line(line).with_context(|| format!("line {line:?}")));
        Ok(Self { series: series.collect::<anyhow::Result<_>>()?, text })
    }

    /// Values of all series of this name that have these labels, and maybe more.
    pub fn values(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        let has =
            |series: &Series| labels.iter().all(|(key, value)| series.labels.get(*key).is_some_and(|v| v == value));
        self.series.iter().filter(|series| series.name == name && has(series)).map(|series| series.value).collect()
    }

    /// Declared families: name, type, help.
    pub fn families(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.text.lines().filter_map(|line| {
            let (name, help) = line.strip_prefix("# HELP ")?.split_once(' ')?;
            let prefix = format!("# TYPE {name} ");
            let kind = self.text.lines().find_map(|line| line.strip_prefix(&prefix))?;
            Some((name, kind, help))
        })
    }

    /// Names of the labels that series of this name (for a histogram: its count) have.
    pub fn labels(&self, name: &str, kind: &str) -> BTreeSet<&str> {
        let name = if kind == "histogram" { format!("{name}_count") } else { name.to_owned() };
        let series = self.series.iter().filter(|series| series.name == name);
        series.flat_map(|series| series.labels.keys().map(String::as_str)).collect()
    }

    /// Their sum.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.values(name, labels).iter().sum()
    }
}

fn parse_line(line: &str) -> anyhow::Result<Series> {
    let (name, rest) = line.split_at(line.find([' ', '{']).context("no value")?);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(labels) => parse_labels(labels)?,
        None => (BTreeMap::new(), rest),
    };
    let value = rest.split_whitespace().next().context("no value")?;
    Ok(Series { name: name.to_owned(), labels, value: value.parse().context("a number")? })
}

fn parse_labels(mut rest: &str) -> anyhow::Result<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((labels, after));
        }
        let (key, quoted) = rest.split_once("=\"").context("a label")?;
        let (value, after) = parse_quoted(quoted)?;
        labels.insert(key.to_owned(), value);
        rest = after;
    }
}

fn parse_quoted(text: &str) -> anyhow::Result<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next().context("an escape")?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            _ => value.push(char),
        }
    }
    anyhow::bail!("a label's value has no end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_labels_and_values_are_read() {
        let page =
            "# HELP a A.\n# TYPE a counter\na{b=\"c\",d=\"e\\\"f\\n,}\"} 2 1700000000000\na{b=\"x\"} +Inf\ng 0.5\n";
        let page = Exposition::parse(page.to_owned()).expect("it is well formed");
        assert_eq!(page.values("a", &[("b", "c"), ("d", "e\"f\n,}")]), [2.0]);
        assert_eq!(page.values("a", &[]).len(), 2);
        assert_eq!(page.sum("g", &[]), 0.5);
        assert!(Exposition::parse("a{b=\"c} 1\n".to_owned()).is_err());
    }
}
