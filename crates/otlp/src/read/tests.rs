//! Reading against a full prost decode, on requests as prost and as other encoders write them, and on broken ones.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use proptest::prelude::*;
use prost::Message as _;

use super::{Contents, Scratch, check, count_points, read};
use crate::oracle::{Random, by_prost, by_read, requests, rewrite};
use crate::schema::REQUEST;
use crate::wire::Fault;

/// Whether the walk takes these bytes; must agree with prost but for what the crate's documentation names.
fn is_taken(bytes: &[u8]) -> bool {
    let decoded = ExportMetricsServiceRequest::decode(bytes);
    match (check(bytes, &mut Scratch::new()), decoded) {
        (Ok(contents), Ok(request)) => {
            let expected = by_prost(&request);
            assert_eq!(contents.points, expected.len() as u64);
            assert_eq!(count_points(bytes), contents.points);
            assert_eq!(contents.resources as usize, request.resource_metrics.len());
            assert_eq!(by_read(bytes), expected);
            true
        }
        (Ok(_), Err(error)) => panic!("taken, though prost says: {error}"),
        (Err(malformed), Ok(_)) => {
            let stricter = [Fault::WireType, Fault::Twice, Fault::TooDeep];
            assert!(stricter.contains(&malformed.what), "prost takes it, but: {malformed}");
            false
        }
        (Err(_), Err(_)) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn points_are_read_as_prost_decodes_them(request in requests()) {
        let bytes = request.encode_to_vec();
        // Decoded again, because prost takes -0.0 for a default and leaves it out.
        let request = ExportMetricsServiceRequest::decode(&*bytes).unwrap();
        prop_assert_eq!(by_read(&bytes), by_prost(&request));
    }

    #[test]
    fn points_are_the_same_however_they_are_encoded(request in requests(), seed: u64) {
        let canonical = request.encode_to_vec();
        let rewritten = rewrite(&REQUEST, &canonical, &mut Random(seed));
        let request = ExportMetricsServiceRequest::decode(&*canonical).unwrap();
        prop_assert_eq!(&ExportMetricsServiceRequest::decode(&*rewritten).unwrap(), &request, "the test is right");
        prop_assert_eq!(by_read(&rewritten), by_prost(&request));
    }

    #[test]
    fn the_walk_and_prost_agree_on_what_is_malformed(request in requests(), seed: u64, changes in 1..4_usize) {
        let mut bytes = rewrite(&REQUEST, &request.encode_to_vec(), &mut Random(seed));
        let mut random = Random(seed ^ 1);
        for _ in 0..changes {
            if !bytes.is_empty() {
                let place = random.below(bytes.len() as u64) as usize;
                bytes[place] = random.below(256) as u8;
            }
        }
        is_taken(&bytes);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        is_taken(&bytes);
    }

    #[test]
    fn the_same_scratch_reads_the_same(first in requests(), second in requests()) {
        let mut scratch = Scratch::new();
        for request in [&first, &second, &first] {
            let (mut streams, mut fresh) = (Vec::new(), Vec::new());
            let bytes = request.encode_to_vec();
            read(&bytes, &mut scratch, |point| streams.push(format!("{:?}", point.point))).unwrap();
            read(&bytes, &mut Scratch::new(), |point| fresh.push(format!("{:?}", point.point))).unwrap();
            prop_assert_eq!(streams, fresh);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_request_cut_anywhere_is_refused_or_is_one(request in requests()) {
        let bytes = request.encode_to_vec();
        let whole = (0..=bytes.len()).filter(|&end| is_taken(&bytes[..end])).count();
        prop_assert!(whole >= 1, "the empty request is one");
    }
}

#[test]
fn points_of_a_request_that_is_refused_can_be_counted() {
    // Two gauges of two points each; the first point has a wrong type of field, the request ends within a last resource.
    let metric = [0x12, 8, 0x2a, 6, 0x0a, 2, 0x38, 1, 0x0a, 0];
    let request = [&[0x0a, 22, 0x12, 20][..], &metric, &metric, &[0x0a, 9, 0x12]].concat();
    assert!(check(&request, &mut Scratch::new()).is_err());
    assert_eq!(count_points(&request), 4);
}

#[test]
fn an_empty_request_has_nothing_in_it() {
    assert_eq!(check(&[], &mut Scratch::new()), Ok(Contents::default()));
}
