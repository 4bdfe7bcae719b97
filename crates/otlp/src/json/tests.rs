//! The rules of the module's table one by one, and the whole against prost.

mod arbitrary;
mod render;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    HistogramDataPoint, Metric, NumberDataPoint, exemplar, number_data_point,
};
use proptest::prelude::*;
use prost::Message;

use super::{JsonError, output_bound, to_protobuf};

const LIMIT: usize = 64 << 20;

fn request(json: &str) -> Result<ExportMetricsServiceRequest, JsonError> {
    let bytes = to_protobuf(json.as_bytes(), LIMIT)?;
    let request = ExportMetricsServiceRequest::decode(bytes.as_slice()).unwrap();
    assert_eq!(request.encode_to_vec(), bytes, "not canonical: {json}");
    Ok(request)
}

fn metric(json: &str) -> Result<Metric, JsonError> {
    let json = format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{json}]}}]}}]}}"#);
    request(&json).map(|request| request.resource_metrics[0].scope_metrics[0].metrics[0].clone())
}

fn number_point(fields: &str) -> Result<NumberDataPoint, JsonError> {
    let metric = metric(&format!(r#"{{"name":"m","sum":{{"dataPoints":[{{{fields}}}]}}}}"#))?;
    let Some(Data::Sum(sum)) = metric.data else { panic!("a sum was sent") };
    Ok(sum.data_points[0].clone())
}

fn histogram_point(fields: &str) -> Result<HistogramDataPoint, JsonError> {
    let metric = metric(&format!(r#"{{"histogram":{{"dataPoints":[{{{fields}}}]}}}}"#))?;
    let Some(Data::Histogram(histogram)) = metric.data else { panic!("a histogram was sent") };
    Ok(histogram.data_points[0].clone())
}

fn attribute(value: &str) -> Result<Option<AnyValue>, JsonError> {
    let point = number_point(&format!(r#""attributes":[{{"key":"k","value":{value}}}]"#))?;
    Ok(point.attributes[0].value.clone())
}

fn value(value: &str) -> Result<Option<Value>, JsonError> {
    Ok(attribute(value)?.expect("a value was sent").value)
}

/// The error without line and column, and without the way to the point, which is the same everywhere.
fn refusal<T: std::fmt::Debug>(result: Result<T, JsonError>) -> String {
    match result.expect_err("it can not be taken") {
        JsonError::Field { path, fault, .. } => {
            let path = path.rsplit("dataPoints[0].").next().unwrap();
            format!("{path} is {fault}")
        }
        other => panic!("{other}"),
    }
}

#[test]
fn empty_requests_are_requests() {
    for json in
        ["{}", r#"{"resourceMetrics":null}"#, r#"{"resourceMetrics":[]}"#, r#" { "unknown" : [1,{"a":null}] } "#]
    {
        assert_eq!(to_protobuf(json.as_bytes(), LIMIT), Ok(Vec::new()), "{json}");
    }
}

#[test]
fn null_is_absence_for_every_kind_of_field() {
    let request = request(r#"{"resourceMetrics":[{"resource":null,"scopeMetrics":null,"schemaUrl":null}]}"#).unwrap();
    assert_eq!(request.resource_metrics.len(), 1);
    assert_eq!(request.resource_metrics[0], Default::default());
    let nulls = r#""flags":null,"exemplars":null,"attributes":null,"timeUnixNano":null,"asInt":null,"asDouble":null"#;
    assert_eq!(number_point(nulls).unwrap(), NumberDataPoint::default());
    let nulls = r#""sum":null,"min":null,"max":null,"count":null,"bucketCounts":null,"explicitBounds":null"#;
    assert_eq!(histogram_point(nulls).unwrap(), HistogramDataPoint::default());
    assert_eq!(metric(r#"{"gauge":null,"sum":null,"name":null}"#).unwrap(), Metric::default());
    assert_eq!(attribute("null").unwrap(), None);
    assert_eq!(value(r#"{"stringValue":null,"arrayValue":null,"bytesValue":null}"#).unwrap(), None);
}

#[test]
fn null_leaves_room_for_another_member_of_the_choice() {
    let point = number_point(r#""asInt":null,"asDouble":2.5"#).unwrap();
    assert_eq!(point.value, Some(number_data_point::Value::AsDouble(2.5)));
}

#[test]
fn integers_come_as_numbers_and_as_strings() {
    let table = [
        (r#""asInt":7"#, 7),
        (r#""asInt":"7""#, 7),
        (r#""asInt":"-9223372036854775808""#, i64::MIN),
        (r#""asInt":9223372036854775807"#, i64::MAX),
        (r#""asInt":0"#, 0),
        (r#""asInt":12.0"#, 12),
        (r#""asInt":"1e3""#, 1000),
    ];
    for (json, int) in table {
        assert_eq!(number_point(json).unwrap().value, Some(number_data_point::Value::AsInt(int)), "{json}");
    }
}

#[test]
fn doubles_come_as_numbers_and_as_strings() {
    let table = [
        (r#""asDouble":5.5"#, 5.5),
        (r#""asDouble":"5.5""#, 5.5),
        (r#""asDouble":5"#, 5.0),
        (r#""asDouble":-3"#, -3.0),
        (r#""asDouble":0"#, 0.0),
        (r#""asDouble":"Infinity""#, f64::INFINITY),
        (r#""asDouble":"-Infinity""#, f64::NEG_INFINITY),
        (r#""asDouble":0.1"#, 0.1),
        (r#""asDouble":1.7976931348623157e308"#, f64::MAX),
    ];
    for (json, double) in table {
        assert_eq!(number_point(json).unwrap().value, Some(number_data_point::Value::AsDouble(double)), "{json}");
    }
    let Some(number_data_point::Value::AsDouble(nan)) = number_point(r#""asDouble":"NaN""#).unwrap().value else {
        panic!("a double was sent")
    };
    assert!(nan.is_nan());
    assert!(histogram_point(r#""sum":"NaN""#).unwrap().sum.unwrap().is_nan());
    assert!(matches!(value(r#"{"doubleValue":"NaN"}"#), Ok(Some(Value::DoubleValue(nan))) if nan.is_nan()));
}

#[test]
fn times_come_as_strings_and_as_numbers_of_any_form() {
    for json in [r#""1500000000000000000""#, "1500000000000000000", "1.5e18", "15E17", r#""1.5e18""#] {
        assert_eq!(
            number_point(&format!(r#""timeUnixNano":{json}"#)).unwrap().time_unix_nano,
            1_500_000_000_000_000_000
        );
    }
    let max = number_point(r#""startTimeUnixNano":"18446744073709551615""#).unwrap();
    assert_eq!(max.start_time_unix_nano, u64::MAX);
}

#[test]
fn small_integers_may_be_strings_too() {
    assert_eq!(number_point(r#""flags":"1""#).unwrap().flags, 1);
    let point = histogram_point(r#""count":"3","bucketCounts":["1",2],"explicitBounds":["0.5"],"min":0,"max":"1""#);
    let expected = HistogramDataPoint {
        count: 3,
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![0.5],
        min: Some(0.0),
        max: Some(1.0),
        ..HistogramDataPoint::default()
    };
    assert_eq!(point.unwrap(), expected);
}

#[test]
fn empty_objects_are_empty_messages_and_not_nothing() {
    assert_eq!(attribute("{}").unwrap(), Some(AnyValue { value: None }));
    assert_eq!(value(r#"{"arrayValue":{}}"#).unwrap(), Some(Value::ArrayValue(Default::default())));
    assert_eq!(value(r#"{"kvlistValue":{}}"#).unwrap(), Some(Value::KvlistValue(Default::default())));
    assert_eq!(value(r#"{"arrayValue":{"values":[]}}"#).unwrap(), Some(Value::ArrayValue(Default::default())));
    assert_eq!(metric(r#"{"gauge":{}}"#).unwrap().data, Some(Data::Gauge(Default::default())));
}

#[test]
fn members_of_a_choice_are_kept_with_their_defaults() {
    assert_eq!(value(r#"{"stringValue":""}"#).unwrap(), Some(Value::StringValue(String::new())));
    assert_eq!(value(r#"{"boolValue":false}"#).unwrap(), Some(Value::BoolValue(false)));
    assert_eq!(value(r#"{"intValue":"0"}"#).unwrap(), Some(Value::IntValue(0)));
    assert_eq!(value(r#"{"bytesValue":""}"#).unwrap(), Some(Value::BytesValue(Vec::new())));
}

#[test]
fn bytes_are_base64_and_ids_are_hex() {
    for text in ["+/+/AQ==", "-_-_AQ==", "+/+/AQ", "-_-_AQ"] {
        let bytes = Value::BytesValue(vec![0xfb, 0xff, 0xbf, 1]);
        assert_eq!(value(&format!(r#"{{"bytesValue":"{text}"}}"#)).unwrap(), Some(bytes), "{text}");
    }
    let ids = r#""exemplars":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174","asInt":"3"}]"#;
    let exemplar = number_point(ids).unwrap().exemplars[0].clone();
    assert_eq!(exemplar.trace_id[..3], [0x5b, 0x8e, 0xff]);
    assert_eq!(exemplar.span_id, [0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74]);
    assert_eq!(exemplar.value, Some(exemplar::Value::AsInt(3)));
}

#[test]
fn unknown_and_snake_case_keys_are_ignored() {
    let point =
        number_point(r#""time_unix_nano":"1","as_int":2,"future":{"a":[null,"\ud83d\ude00"]},"asInt":3"#).unwrap();
    assert_eq!(point, NumberDataPoint { value: Some(number_data_point::Value::AsInt(3)), ..Default::default() });
}

#[test]
fn enums_are_integers_known_or_not() {
    for (json, number) in [("1", 1), ("2", 2), ("0", 0), ("7", 7), ("-1", -1), ("null", 0)] {
        let metric = metric(&format!(r#"{{"sum":{{"aggregationTemporality":{json},"isMonotonic":true}}}}"#)).unwrap();
        let Some(Data::Sum(sum)) = metric.data else { panic!("a sum was sent") };
        assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (number, true), "{json}");
    }
}

#[test]
fn what_can_not_be_taken_is_named_with_its_path() {
    let table = [
        (r#""asInt":"9223372036854775808""#, "asInt is out of the range of int64"),
        (r#""asInt":9223372036854775808"#, "asInt is out of the range of int64"),
        (r#""asInt":1.5"#, "asInt is a number with a fraction, not int64"),
        (r#""asInt":"many""#, "asInt is a string that is no number"),
        (r#""asInt":true"#, "asInt is a boolean, not int64"),
        (r#""asInt":{"low":1,"high":2}"#, "asInt is an object, not a single value"),
        (r#""timeUnixNano":{"low":1,"high":2}"#, "timeUnixNano is an object, not a single value"),
        (r#""timeUnixNano":-1"#, "timeUnixNano is out of the range of uint64"),
        (r#""timeUnixNano":[1]"#, "timeUnixNano is an array, not a single value"),
        (r#""asDouble":"five""#, "asDouble is a string that is no number"),
        (r#""asDouble":"1e999""#, "asDouble is out of the range of a double"),
        (r#""asDouble":false"#, "asDouble is a boolean, not a double"),
        (r#""flags":4294967296"#, "flags is out of the range of uint32"),
        (r#""exemplars":{}"#, "exemplars is an object, not an array"),
        (r#""exemplars":3"#, "exemplars is a number, not an array"),
        (r#""exemplars":[null]"#, "exemplars[0] is null, which an element of an array can not be"),
        (r#""exemplars":[{},7]"#, "exemplars[1] is a number, not an object"),
        (r#""exemplars":[{"spanId":"xy"}]"#, "exemplars[0].spanId is a string that is no hex"),
        (r#""attributes":[[]]"#, "attributes[0] is an array, not an object"),
        (r#""attributes":[{"key":1}]"#, "attributes[0].key is a number, not a string"),
        (r#""attributes":[{"value":"v"}]"#, "attributes[0].value is a string, not an object"),
        (
            r#""attributes":[{"value":{"boolValue":"true"}}]"#,
            "attributes[0].value.boolValue is a string, not a boolean",
        ),
        (
            r#""attributes":[{"value":{"bytesValue":"*"}}]"#,
            "attributes[0].value.bytesValue is a string that is no base64",
        ),
        (r#""asInt":1,"asInt":1"#, "asInt is there twice"),
        (r#""flags":null,"flags":1"#, "flags is there twice"),
        (r#""asInt":1,"asDouble":1"#, "asDouble is there beside another value of the same choice"),
    ];
    for (json, expected) in table {
        assert_eq!(refusal(number_point(json)), expected, "{json}");
    }
    let name = r#"{"sum":{"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA"}}"#;
    let expected = "resourceMetrics[0].scopeMetrics[0].metrics[0].sum.aggregationTemporality is a string; OTLP wants enums as integers";
    assert_eq!(refusal(metric(name)), expected);
    assert_eq!(
        refusal(histogram_point(r#""bucketCounts":[1,null]"#)),
        "bucketCounts[1] is null, which an element of an array can not be"
    );
    assert_eq!(
        refusal(histogram_point(r#""explicitBounds":[1,{}]"#)),
        "explicitBounds[1] is an object, not a single value"
    );
    assert_eq!(refusal(request("null")), "the request is null, not an object");
    assert_eq!(refusal(request("[]")), "the request is an array, not an object");
    assert_eq!(refusal(request("3")), "the request is a number, not an object");
}

#[test]
fn broken_json_is_named_with_line_and_column() {
    let table: [(&[u8], &str); 8] = [
        (b"", "EOF while parsing a value at line 1 column 0"),
        (b"{\n  \"resourceMetrics\": [", "EOF while parsing a list at line 2 column 22"),
        (b"{} {}", "trailing characters at line 1 column 4"),
        (b"{'a':1}", "key must be a string at line 1 column 2"),
        (b"{\"resourceMetrics\":[],}", "trailing comma at line 1 column 23"),
        (b"{\"resourceMetrics\":[{\"schemaUrl\":\"\xff\"}]}", "invalid unicode code point at line 1 column 35"),
        (b"{\"resourceMetrics\":[{\"schemaUrl\":\"\\ud800\"}]}", "unexpected end of hex escape at line 1 column 41"),
        (b"{\"resourceMetrics\":[{\"schemaUrl\":NaN}]}", "expected value at line 1 column 34"),
    ];
    for (json, expected) in table {
        let broken = JsonError::Broken { what: expected.to_owned() };
        assert_eq!(to_protobuf(json, LIMIT), Err(broken), "{}", String::from_utf8_lossy(json));
    }
}

#[test]
fn an_error_says_where_its_value_is() {
    let error = to_protobuf(b"{\"resourceMetrics\":[\n  {\"schemaUrl\": 7}]}", LIMIT).unwrap_err();
    assert_eq!(error.to_string(), "resourceMetrics[0].schemaUrl is a number, not a string (line 2 column 17)");
}

fn nested(levels: usize, open: &str, close: &str) -> Result<Option<Value>, JsonError> {
    value(&format!("{}{{}}{}", open.repeat(levels), close.repeat(levels)))
}

#[test]
fn values_are_nested_as_deep_as_the_walk_takes_and_no_deeper() {
    let (array, array_end) = (r#"{"arrayValue":{"values":["#, "]}}");
    let (map, map_end) = (r#"{"kvlistValue":{"values":[{"key":"k","value":"#, "}]}}");
    assert!(nested(28, array, array_end).is_ok());
    assert!(refusal(nested(29, array, array_end)).ends_with("is nested more than 64 messages deep"));
    assert!(nested(18, map, map_end).is_ok());
    assert!(refusal(nested(19, map, map_end)).ends_with("is nested more than 64 messages deep"));
    let unknown = format!(r#"{{"unknown":{}{}}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert_eq!(to_protobuf(unknown.as_bytes(), LIMIT), Ok(Vec::new()));
}

#[test]
fn output_beyond_the_limit_is_an_error() {
    let counts = vec!["0"; 1000].join(",");
    let json = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{counts}]}}]}}}}]}}]}}]}}"#
    );
    assert_eq!(to_protobuf(json.as_bytes(), 4000), Err(JsonError::TooLarge { limit: 4000 }));
    let bytes = to_protobuf(json.as_bytes(), output_bound(json.len())).unwrap();
    assert!(bytes.len() > 8000);
}

#[test]
fn fields_in_any_order_make_the_same_bytes() {
    let (a, b, c) = (r#""attributes":[{"value":{"intValue":1},"key":"a"}]"#, r#""asInt":"3""#, r#""timeUnixNano":"9""#);
    let one = number_point(&format!("{a},{b},{c}")).unwrap();
    for json in [format!("{c},{b},{a}"), format!("{b},{a},{c}"), format!("{b},{c},{a}")] {
        assert_eq!(number_point(&json).unwrap(), one);
    }
    let value = Some(AnyValue { value: Some(Value::IntValue(1)) });
    assert_eq!(one.attributes, [KeyValue { key: "a".into(), value, ..Default::default() }]);
}

proptest! {
    /// Whatever a request is and however its JSON is written, the bytes are prost's own.
    #[test]
    fn json_of_any_request_becomes_the_bytes_that_prost_writes(request in arbitrary::request(), style in any::<u64>()) {
        let json = render::request(&request, style);
        let bytes = to_protobuf(json.as_bytes(), LIMIT).map_err(|error| TestCaseError::fail(format!("{error}: {json}")))?;
        prop_assert!(bytes == request.encode_to_vec(), "{json}");
        prop_assert!(bytes.len() <= output_bound(json.len()));
    }

    /// Bytes with a hole, a doubled part or anything else are an error or a request, and never a panic.
    #[test]
    fn damaged_json_is_an_error_or_a_request(request in arbitrary::request(), style in any::<u64>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut json = render::request(&request, style).into_bytes();
        let at = at.index(json.len());
        json[at] = byte;
        if let Ok(bytes) = to_protobuf(&json, LIMIT) {
            let decoded = ExportMetricsServiceRequest::decode(bytes.as_slice());
            prop_assert_eq!(decoded.map(|request| request.encode_to_vec()), Ok(bytes));
        }
    }
}
