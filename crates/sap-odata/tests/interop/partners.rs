//! The customer store.

use crate::world::World;
use erp_core::model::{Address, Customer, CustomerIdentity, CustomerKind, CustomerPatch};
use erp_core::prelude::*;
use futures_util::StreamExt as _;

fn person(key: &Key, email: &str) -> Customer {
    let address = Address::new("DE").with_name("Ada", "O'Brien").with_place(
        vec!["Lange Straße 1".to_owned()],
        "Köln",
        "50667",
    );
    Customer::new(key.clone(), CustomerKind::Person, email)
        .with_name("Ada", "O'Brien")
        .with_addresses(vec![address])
}

#[tokio::test]
async fn a_customer_is_made_once_matched_and_changed() {
    let Some(world) = World::given() else { return };
    let (client, cx) = (world.client(), Context::new());
    let (key, email) = (world.key(1), format!("{}@example.com", world.reference("ada")));
    let wanted = person(&key, &email);
    let identity = CustomerIdentity::new().with_key(key.clone());
    assert_eq!(client.matching_customers(&cx, &identity).await.unwrap().len(), 0);
    let made = client.upsert_customer(&cx, &CustomerPatch::new(wanted.clone(), None), None).await.unwrap();
    let again = client.upsert_customer(&cx, &CustomerPatch::new(wanted.clone(), None), None).await.unwrap();
    assert_eq!(again.native_id, made.native_id, "found by our key, not made twice");

    for identity in [identity, CustomerIdentity::new().with_email(email.as_str())] {
        let found = client.matching_customers(&cx, &identity).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].record.native_id.as_ref(), Some(&made.native_id));
        assert_eq!(
            (found[0].record.email.as_str(), found[0].record.last_name.as_str()),
            (email.as_str(), "O'Brien")
        );
    }

    let mut moved = wanted;
    moved.addresses[0].city = "Ulm".to_owned();
    moved.last_name = "Lovelace".to_owned();
    moved.email = format!("new-{email}");
    let patch = CustomerPatch::new(moved, Some(made.native_id.clone()));
    let changed = client.upsert_customer(&cx, &patch, None).await.unwrap();
    assert_eq!(changed.native_id, made.native_id);
    let held = client.customer(&cx, &made.native_id).await.unwrap().unwrap().record;
    assert_eq!((held.last_name.as_str(), held.first_name.as_str()), ("Lovelace", "Ada"));
    assert_eq!((held.addresses[0].city.as_str(), held.email), ("Ulm", format!("new-{email}")));
    assert_eq!(held.addresses[0].street, ["Lange Straße 1"]);
}

#[tokio::test]
async fn a_customer_that_is_not_there_is_none() {
    let Some(world) = World::given() else { return };
    let client = world.client();
    assert!(client.customer(&Context::new(), &"99999999".into()).await.unwrap().is_none());
    let known = client.customer(&Context::new(), &"17100001".into()).await.unwrap().unwrap().record;
    assert_eq!((known.kind, known.last_name.as_str()), (CustomerKind::Company, "Domestic Customer One"));
}

#[tokio::test]
async fn all_customers_are_read_over_many_pages() {
    let Some(world) = World::given() else { return };
    let writer = world.client();
    for number in 1..=6 {
        let email = format!("{}@example.com", world.reference(&format!("p{number}")));
        let patch = CustomerPatch::new(person(&world.key(number), &email), None);
        writer.upsert_customer(&Context::new(), &patch, None).await.unwrap();
    }
    for page_size in [1000, 2] {
        let client = world.client_with(|config| config.page_size = page_size);
        let events: Vec<_> = client.customer_changes(&Context::new(), None).collect().await;
        let mut ours = 0;
        let mut ended = false;
        for event in events {
            match event.unwrap() {
                FeedEvent::Upsert(seen) => {
                    let prefix = world.system().as_str().to_uppercase();
                    let id = seen.record.external_id.unwrap_or_default();
                    ours += usize::from(id.starts_with(&format!("{prefix}:")));
                }
                FeedEvent::Checkpoint(_) => ended = true,
                FeedEvent::Poison(poison) => panic!("{poison:?}"),
                _ => {}
            }
        }
        assert_eq!((ours, ended), (6, true), "with pages of {page_size}");
    }
}
