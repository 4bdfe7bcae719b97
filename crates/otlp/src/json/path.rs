//! Where the encoder is, kept as it walks so that an error can say so.

use std::fmt;

/// The way from the root to a value.
#[derive(Debug, Default)]
pub(super) struct Path(Vec<Step>);

#[derive(Debug)]
enum Step {
    Field(&'static str),
    Element(usize),
}

impl Path {
    pub(super) fn enter(&mut self, field: &'static str) {
        self.0.push(Step::Field(field));
    }

    pub(super) fn enter_element(&mut self, index: usize) {
        self.0.push(Step::Element(index));
    }

    pub(super) fn leave(&mut self) {
        self.0.pop();
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the request");
        }
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if position == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Element(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn a_path_reads_like_the_code_that_would_reach_it() {
        let mut path = Path::default();
        assert_eq!(path.to_string(), "the request");
        path.enter("resourceMetrics");
        path.enter_element(2);
        path.enter("resource");
        assert_eq!(path.to_string(), "resourceMetrics[2].resource");
        path.leave();
        assert_eq!(path.to_string(), "resourceMetrics[2]");
    }
}
