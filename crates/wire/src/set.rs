//! For which set a request between our own parts is: `shardset-set`, beside the membership ([`crate::membership`]).
//!
//! In a cluster an address that was a worker's may be that of another set's worker a moment later, with the same ordinal and even the
//! same epoch. Whoever was told of the old one must not count on the new one, nor tell it a membership. So every request names its
//! set, and a worker that is of a set takes no others. Parts on one machine are of none.

use shardset_model::SetName;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

const SET: &str = "shardset-set";

/// A connection whose requests name a set.
pub type ToSet<C> = InterceptedService<C, Naming>;

/// Names a set in each request, where there is one.
#[derive(Clone, Debug)]
pub struct Naming(Option<MetadataValue<Ascii>>);

impl Naming {
    fn of(set: Option<&SetName>) -> Self {
        Self(set.map(|set| set.as_str().parse().expect("the name of a set is visible ASCII")))
    }
}

impl Interceptor for Naming {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(set) = &self.0 {
            request.metadata_mut().insert(SET, set.clone());
        }
        Ok(request)
    }
}

/// Lets each request over `connection` name `set`.
pub fn to_set<C>(connection: C, set: Option<&SetName>) -> ToSet<C> {
    InterceptedService::new(connection, Naming::of(set))
}

/// For which set a request is, if that is another than `own`.
pub fn other_than<'a>(own: &SetName, metadata: &'a MetadataMap) -> Option<&'a str> {
    let named = metadata.get(SET).map_or("no set", |named| named.to_str().unwrap_or("a set whose name is no text"));
    (named != own.as_str()).then_some(named)
}

#[cfg(test)]
mod tests {
    use shardset_model::SetName;
    use tonic::Request;
    use tonic::service::Interceptor;

    use super::{Naming, other_than};

    #[test]
    fn a_request_for_another_set_is_known() {
        let own: SetName = "metrics/demo".parse().unwrap();
        let for_set = |set: Option<&str>| {
            let set = set.map(|set| set.parse().unwrap());
            let request = Naming::of(set.as_ref()).call(Request::new(())).unwrap();
            other_than(&own, request.metadata()).map(str::to_owned)
        };
        assert_eq!(for_set(None).as_deref(), Some("no set"));
        assert_eq!(for_set(Some("metrics/demo")), None);
        for other in ["metrics/demo2", "shop/demo", "metrics/dem"] {
            assert_eq!(for_set(Some(other)).as_deref(), Some(other));
        }
    }
}
