//! Customers against the emulator.

use commerce_client::CommerceClient;
use commerce_emulator::{CommerceEmulator, Options};
use erp_core::context::Context;
use erp_core::error::{Effect, ErrorKind};
use erp_core::feed::{FeedEvent, Watermark};
use erp_core::id::Key;
use erp_core::model::{Address, Customer, CustomerIdentity, CustomerKind, CustomerPatch};
use erp_core::roles::CustomerStore;
use erp_testkit::emulator::ServerOptions;
use erp_testkit::fault::{Fault, FaultPlan, Rule};
use futures_util::StreamExt as _;
use std::collections::BTreeSet;

/// The first customer of the sample shop buys for a company and has several ship-to parties.
const BUYER: i64 = 1;

async fn shop(keeps_keys: bool) -> (CommerceEmulator, CommerceClient) {
    let server = ServerOptions::new().with_faults(FaultPlan::new());
    let emulator = commerce_emulator::start(Options::new().with_server(server)).await.unwrap();
    let keys = &emulator.integration;
    let client = CommerceClient::builder("shop")
        .base_url(emulator.base_url())
        .integration(&keys.consumer_key, &keys.consumer_secret, &keys.access_token, &keys.access_token_secret)
        .with(|config| {
            config.page_size = 40;
            config.fields.ship_to_party = Some("erp_party".to_owned());
            if keeps_keys {
                config.fields.customer_key = Some("erp_account".to_owned());
            } else {
                config.fields.customer_number = Some("erp_account".to_owned());
            }
        })
        .build()
        .unwrap();
    (emulator, client)
}

fn newcomer(email: &str) -> Customer {
    let mut home =
        Address::new("DE").with_name("Ada", "Lane").with_place(vec!["Quay 1".to_owned()], "Kiel", "24103");
    home.phone = Some("0431 1".to_owned());
    let customer = Customer::new("sap:17100042".into(), CustomerKind::Person, email).with_name("Ada", "Lane");
    let mut customer = customer.with_addresses(vec![home]);
    "base".clone_into(&mut customer.scope);
    customer
}

#[tokio::test]
async fn a_write_keeps_all_that_it_does_not_state() {
    let (emulator, client) = shop(false).await;
    let cx = Context::new();
    let before = emulator.world.customer(BUYER).unwrap();
    assert!(before.addresses.len() > 1 && before.company_id.is_some());
    let read = client.customer(&cx, &BUYER.to_string().into()).await.unwrap().unwrap().record;
    assert_eq!(read.external_id.as_ref(), before.custom_attributes.get("erp_account"));
    assert_eq!((read.scope.as_str(), read.addresses.len()), ("wholesale", before.addresses.len()));
    let parties: BTreeSet<_> = read.addresses.iter().filter_map(|address| address.party.clone()).collect();
    assert!(parties.len() > 1);

    let same = CustomerPatch::new(read.clone(), read.native_id.clone());
    let first = client.upsert_customer(&cx, &same, None).await.unwrap();
    assert_eq!(emulator.server.count("PUT", "customers"), 0, "what is equal is not written");

    let mut wanted = Customer::new(read.key.clone(), CustomerKind::Person, "");
    "Grace".clone_into(&mut wanted.first_name);
    wanted.addresses = newcomer("").addresses;
    let patch = CustomerPatch::new(wanted, None);
    client.upsert_customer(&cx, &patch, first.revision.as_ref()).await.unwrap();
    let mut after = emulator.world.customer(BUYER).unwrap();
    assert_eq!(after.firstname, "Grace");
    let added = after.addresses.pop().unwrap();
    assert_eq!(added.city, "Kiel");
    assert_eq!(after.addresses, before.addresses, "each as it was, with its id and its party");
    assert_eq!(
        (after.default_billing, after.default_shipping, after.company_id, &after.email, after.group_id),
        (before.default_billing, before.default_shipping, before.company_id, &before.email, before.group_id)
    );
    assert_eq!(after.custom_attributes, before.custom_attributes);

    let stale = client.upsert_customer(&cx, &same, first.revision.as_ref()).await.unwrap_err();
    assert_eq!(stale.kind(), &ErrorKind::Conflict);
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_found_by_its_key() {
    let (emulator, client) = shop(true).await;
    let cx = Context::new();
    let patch = CustomerPatch::new(newcomer("new@example.test"), None);
    emulator.server.faults().add(Rule::once(Some("POST"), "/V1/customers", Fault::DropAfterCommit));
    let lost = client.upsert_customer(&cx, &patch, None).await.unwrap_err();
    assert_eq!(lost.effect(), Effect::Unknown);
    let receipt = client.upsert_customer(&cx, &patch, None).await.unwrap();
    assert_eq!(emulator.server.count("POST", "/V1/customers"), 1);
    assert_eq!(emulator.server.count("PUT", "/V1/customers"), 0, "it is there as wanted");
    let identity = CustomerIdentity::new().with_key(patch.customer.key.clone());
    let found = client.matching_customers(&cx, &identity).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].record.native_id.as_ref(), Some(&receipt.native_id));
    let held = emulator.world.customer(receipt.native_id.as_str().parse().unwrap()).unwrap();
    assert_eq!((held.website_id, held.addresses.len()), (1, 1));
    assert!(held.default_billing.is_some() && held.default_shipping.is_some());
}

#[tokio::test]
async fn an_equal_e_mail_is_a_proof_only_where_no_key_is_kept() {
    let cx = Context::new();
    let (emulator, client) = shop(true).await;
    let email = emulator.world.customer(101).unwrap().email.to_uppercase();
    let patch = CustomerPatch::new(newcomer(&email), None);
    let refused = client.upsert_customer(&cx, &patch, None).await.unwrap_err();
    assert_eq!((refused.kind(), refused.effect()), (&ErrorKind::Conflict, Effect::None));
    assert!(!format!("{refused} {refused:?}").contains(&email));

    let (emulator, client) = shop(false).await;
    let receipt = client.upsert_customer(&cx, &patch, None).await.unwrap();
    assert_eq!(receipt.native_id.as_str(), "101");
    assert_eq!(emulator.world.customer(101).unwrap().addresses.len(), 2);

    let mut nowhere = newcomer("elsewhere@example.test");
    for scope in ["", "no-such-site"] {
        scope.clone_into(&mut nowhere.scope);
        let refused = client.upsert_customer(&cx, &CustomerPatch::new(nowhere.clone(), None), None).await;
        assert_eq!(refused.unwrap_err().fields()[0].code, "commerce.website", "two websites, none named");
    }
}

#[tokio::test]
async fn the_feed_brings_a_changed_customer_again() {
    let (emulator, client) = shop(false).await;
    let cx = Context::new();
    let collect = async |mark: Option<Watermark>| {
        let (mut keys, mut last) = (BTreeSet::new(), None);
        let mut feed = client.customer_changes(&cx, mark);
        while let Some(event) = feed.next().await {
            match event.unwrap() {
                FeedEvent::Upsert(customer) => {
                    keys.insert(customer.key);
                }
                FeedEvent::Checkpoint(mark) => last = Some(mark),
                FeedEvent::Poison(poison) => panic!("{poison:?}"),
                _ => {}
            }
        }
        (keys, last)
    };
    let (all, mark) = collect(None).await;
    assert!(all.len() > 60 && all.contains(&Key::of(client.system(), BUYER)));
    let mut changed = emulator.world.customer(130).unwrap();
    changed.updated_at = changed.updated_at.plus(std::time::Duration::from_secs(86_400));
    emulator.world.put_customer(changed);
    let (again, mark) = collect(mark).await;
    assert!(again.contains(&Key::of(client.system(), 130)));
    let (last, _) = collect(mark).await;
    assert_eq!(last, BTreeSet::from([Key::of(client.system(), 130)]), "only what lies within the overlap");
}
