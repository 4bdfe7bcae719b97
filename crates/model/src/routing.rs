//! What decides the shard of a point, and how it is written in a flag, a configuration file and a membership.
//!
//! State is kept per stream whatever the routing key is, so a change of key moves streams and is a change of membership.
//!
//! In text, a name's bytes other than visible ASCII, and `,` and `%`, stand as `%` and two hexadecimal digits: any name can
//! be written, and what is written is fit for a flag, an annotation and request metadata.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// What decides the shard of a point. Written `streamID` (the default), `resource`, `service`, `metric`, or
/// `attributes:NAME,NAME` for a list of attribute names.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum RoutingKey {
    /// The whole identity of the stream: the only key that spreads one heavy service.
    #[default]
    StreamId,
    /// The resource's attributes.
    Resource,
    /// The resource attribute `service.name`; a point without it is routed by its resource, and counted.
    Service,
    /// The metric's name.
    Metric,
    /// The values of these attributes, each taken from the resource, else the scope, else the point.
    Attributes(RoutingAttributes),
}

/// The names of the attributes that decide the shard: at least one, none empty, none twice. Their order matters.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RoutingAttributes(Arc<[Box<str>]>);

impl RoutingAttributes {
    /// These names, checked.
    ///
    /// # Errors
    ///
    /// The first rule that they break.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidRoutingKey> {
        let mut checked: Vec<Box<str>> = Vec::new();
        for name in names {
            if name.is_empty() {
                return Err(InvalidRoutingKey::EmptyName);
            }
            if checked.iter().any(|known| **known == *name) {
                return Err(InvalidRoutingKey::Twice(name.into()));
            }
            checked.push(name.into());
        }
        if checked.is_empty() { Err(InvalidRoutingKey::NoNames) } else { Ok(Self(checked.into())) }
    }

    /// The names, in their order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }
}

/// Why something is no routing key.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum InvalidRoutingKey {
    /// None of the five.
    #[error("`{0}` is no routing key: it must be streamID, resource, service, metric or attributes:NAME,NAME")]
    Unknown(Box<str>),
    /// The key `attributes` needs a list.
    #[error("the routing key attributes needs names: attributes:NAME,NAME")]
    NoNames,
    /// An attribute's name can not be empty.
    #[error("an attribute name of the routing key is empty")]
    EmptyName,
    /// A `%` that two hexadecimal digits of UTF-8 do not follow.
    #[error("`{0}` is no attribute name: write % as %25, and other bytes as % and two hexadecimal digits")]
    Escape(Box<str>),
    /// A name stands twice in the list.
    #[error("the attribute `{0}` stands twice in the routing key")]
    Twice(Box<str>),
}

impl FromStr for RoutingKey {
    type Err = InvalidRoutingKey;

    fn from_str(text: &str) -> Result<Self, InvalidRoutingKey> {
        match text {
            "streamID" => Ok(Self::StreamId),
            "resource" => Ok(Self::Resource),
            "service" => Ok(Self::Service),
            "metric" => Ok(Self::Metric),
            "attributes" | "attributes:" => Err(InvalidRoutingKey::NoNames),
            _ => match text.strip_prefix("attributes:") {
                Some(names) => {
                    let names = names.split(',').map(|name| unescape(name.trim())).collect::<Result<Vec<_>, _>>()?;
                    RoutingAttributes::new(names.iter().map(String::as_str)).map(Self::Attributes)
                }
                None => Err(InvalidRoutingKey::Unknown(text.into())),
            },
        }
    }
}

impl fmt::Display for RoutingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StreamId => f.write_str("streamID"),
            Self::Resource => f.write_str("resource"),
            Self::Service => f.write_str("service"),
            Self::Metric => f.write_str("metric"),
            Self::Attributes(attributes) => {
                let escaped: Vec<String> = attributes.names().map(escape).collect();
                write!(f, "attributes:{}", escaped.join(","))
            }
        }
    }
}

fn escape(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b'%');
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn unescape(text: &str) -> Result<String, InvalidRoutingKey> {
    let wrong = || InvalidRoutingKey::Escape(text.into());
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, others @ ..] = rest {
        rest = others;
        bytes.push(match (*first, others) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low).ok_or_else(wrong)?
            }
            (b'%', _) => return Err(wrong()),
            (byte, _) => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::{InvalidRoutingKey, RoutingAttributes, RoutingKey};

    #[test]
    fn every_routing_key_prints_as_it_is_parsed() {
        for text in ["streamID", "resource", "service", "metric", "attributes:a", "attributes:host.name,region"] {
            assert_eq!(text.parse::<RoutingKey>().unwrap().to_string(), text);
        }
        assert_eq!(RoutingKey::default(), RoutingKey::StreamId);
        let spaced: RoutingKey = "attributes:b, a".parse().unwrap();
        assert_eq!(spaced, RoutingKey::Attributes(RoutingAttributes::new(["b", "a"]).unwrap()));
    }

    #[test]
    fn any_name_can_be_written() {
        let odd = RoutingKey::Attributes(RoutingAttributes::new(["a,b", "50%", "größe", " x"]).unwrap());
        assert_eq!(odd.to_string(), "attributes:a%2Cb,50%25,gr%C3%B6%C3%9Fe,%20x");
        assert_eq!(odd.to_string().parse(), Ok(odd));
    }

    #[test]
    fn what_is_no_routing_key_says_why() {
        let cases = [
            ("traceID", InvalidRoutingKey::Unknown("traceID".into())),
            ("streamid", InvalidRoutingKey::Unknown("streamid".into())),
            ("attributes", InvalidRoutingKey::NoNames),
            ("attributes:", InvalidRoutingKey::NoNames),
            ("attributes:a,,b", InvalidRoutingKey::EmptyName),
            ("attributes:a,b,a", InvalidRoutingKey::Twice("a".into())),
            ("attributes:100%", InvalidRoutingKey::Escape("100%".into())),
            ("attributes:a,%zz", InvalidRoutingKey::Escape("%zz".into())),
            ("attributes:%ff", InvalidRoutingKey::Escape("%ff".into())),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<RoutingKey>(), Err(expected), "{text}");
        }
        assert_eq!(RoutingAttributes::new([]), Err(InvalidRoutingKey::NoNames));
    }
}
