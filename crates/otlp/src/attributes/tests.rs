//! Attributes against what prost encodes.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue as ProtoValue, ArrayValue, KeyValue, KeyValueList};
use prost::Message as _;

use super::{AnyValue, Attribute, attributes};

fn any(value: Value) -> ProtoValue {
    ProtoValue { value: Some(value) }
}

fn key_value(key: &str, value: Option<ProtoValue>) -> KeyValue {
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn frames(attributes: &[KeyValue]) -> Vec<u8> {
    attributes.iter().flat_map(KeyValue::encode_length_delimited_to_vec).collect()
}

fn text(value: Option<Value>) -> String {
    let frames = frames(&[key_value("k", Some(ProtoValue { value }))]);
    attributes(&frames).next().unwrap().value.to_text().into_owned()
}

fn array(values: Vec<ProtoValue>) -> Value {
    Value::ArrayValue(ArrayValue { values })
}

#[test]
fn frames_are_read_in_their_order() {
    let frames = frames(&[
        key_value("a", Some(any(Value::StringValue("x".repeat(300))))),
        key_value("", None),
        key_value("b", Some(any(Value::IntValue(-1)))),
    ]);
    let read: Vec<Attribute<'_>> = attributes(&frames).collect();
    assert_eq!(
        read,
        [
            Attribute { key: "a", value: AnyValue::String(&"x".repeat(300)) },
            Attribute { key: "", value: AnyValue::Empty },
            Attribute { key: "b", value: AnyValue::Int(-1) },
        ]
    );
}

#[test]
fn bytes_that_are_no_frames_end_the_attributes() {
    let mut bytes = frames(&[key_value("a", None), key_value("b", None)]);
    bytes.pop();
    assert_eq!(attributes(&bytes).count(), 1);
    assert_eq!(attributes(&[0x80; 12]).count(), 0);
}

#[test]
fn every_value_prints_as_the_specification_says() {
    let map = Value::KvlistValue(KeyValueList {
        values: vec![
            key_value("quote\"", Some(any(Value::BytesValue(vec![1, 2, 3])))),
            key_value("list", Some(any(array(vec![any(Value::IntValue(1)), ProtoValue { value: None }])))),
            key_value("nothing", None),
        ],
    });
    let cases = [
        (None, ""),
        (Some(Value::StringValue("as \"it\" is".to_owned())), "as \"it\" is"),
        (Some(Value::BoolValue(true)), "true"),
        (Some(Value::BoolValue(false)), "false"),
        (Some(Value::IntValue(i64::MIN)), "-9223372036854775808"),
        (Some(Value::BytesValue(b"hello".to_vec())), "aGVsbG8="),
        (Some(array(vec![])), "[]"),
        (Some(Value::KvlistValue(KeyValueList { values: vec![] })), "{}"),
        (Some(array(vec![any(Value::DoubleValue(f64::NAN)), any(Value::DoubleValue(0.5))])), r#"["NaN",0.5]"#),
        (Some(map), r#"{"quote\"":"AQID","list":[1,null],"nothing":null}"#),
    ];
    for (value, expected) in cases {
        assert_eq!(text(value.clone()), expected, "{value:?}");
    }
}

#[test]
fn doubles_print_as_ecmascript_prints_them() {
    let cases = [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (-1.25e30, "-1.25e+30"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "Infinity"),
        (f64::NEG_INFINITY, "-Infinity"),
    ];
    for (double, expected) in cases {
        assert_eq!(text(Some(Value::DoubleValue(double))), expected);
    }
}

#[test]
fn base64_is_padded() {
    for (bytes, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
        assert_eq!(text(Some(Value::BytesValue(bytes.into()))), expected);
    }
}
