//! What a set is called.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// A namespace and a name, each as long as Kubernetes has them, and a slash.
const BYTES_MAX: usize = 253 + 1 + 253;

/// The name of a set of workers and gateways among others that may be reached from it: `NAMESPACE/NAME`, in visible ASCII.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetName(Arc<str>);

/// What names no set.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("`{0}` names no set: it must be NAMESPACE/NAME")]
pub struct InvalidSetName(String);

impl SetName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SetName {
    type Err = InvalidSetName;

    fn from_str(text: &str) -> Result<Self, InvalidSetName> {
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic());
        let is_name = text.split_once('/').is_some_and(|(namespace, name)| is_part(namespace) && is_part(name));
        let is_name = is_name && text.len() <= BYTES_MAX;
        if is_name { Ok(Self(text.into())) } else { Err(InvalidSetName(text.to_owned())) }
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::SetName;

    #[test]
    fn a_set_has_a_namespace_and_a_name() {
        let longest = format!("{}/{}", "n".repeat(253), "s".repeat(253));
        for name in ["metrics/demo", &longest] {
            assert_eq!(name.parse::<SetName>().unwrap().as_str(), name);
        }
        for wrong in ["", "demo", "/demo", "metrics/", "metrics/de mo", "metrics/ü", &format!("{longest}x")] {
            let told = wrong.parse::<SetName>().unwrap_err().to_string();
            assert_eq!(told, format!("`{wrong}` names no set: it must be NAMESPACE/NAME"));
        }
    }
}
