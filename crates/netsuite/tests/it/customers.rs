//! Journeys of customers: written, read, recognised, fed.

use crate::orders::driven;
use crate::world::{CUSTOMER, LogOn, World};
use erp_core::feed::{FeedEvent, Watermark};
use erp_core::model::{Address, Customer, CustomerIdentity, CustomerKind, CustomerPatch};
use erp_core::prelude::*;
use erp_testkit::fault::{Fault, Rule};
use futures_util::StreamExt as _;
use netsuite::{NetsuiteClient, external_id};
use netsuite_emulator::{Customer as Seeded, CustomerView, NetsuiteSeed};
use std::time::Duration;

fn key() -> Key {
    Key::from("shop:7")
}

fn place(street: &str, city: &str) -> Address {
    Address::new("DE").with_name("Ada", "Lane").with_place(vec![street.to_owned()], city, "53111")
}

fn ada(addresses: Vec<Address>) -> Customer {
    let ada = Customer::new(key(), CustomerKind::Person, "ada.lane@example.test").with_name("Ada", "Lane");
    ada.with_addresses(addresses)
}

async fn write(
    world: &World,
    client: &NetsuiteClient,
    customer: &Customer,
    number: Option<&NativeId>,
) -> Result<Receipt> {
    let patch = CustomerPatch::new(customer.clone(), number.cloned());
    driven(world, client.upsert_customer(&Context::new(), &patch, None)).await
}

async fn read(world: &World, client: &NetsuiteClient, id: &NativeId) -> Customer {
    let found = driven(world, client.customer(&Context::new(), id)).await.expect("NetSuite answers");
    found.expect("it is there").record
}

async fn namesakes(world: &World, client: &NetsuiteClient, email: &str) -> Vec<String> {
    let identity = CustomerIdentity::new().with_email(email);
    let found = driven(world, client.matching_customers(&Context::new(), &identity)).await;
    let found = found.expect("NetSuite answers");
    found.into_iter().map(|one| one.record.native_id.map(|id| id.to_string()).unwrap_or_default()).collect()
}

fn number(id: &NativeId) -> u64 {
    id.as_str().parse().expect("an internal id is a number")
}

fn held(world: &World, id: &NativeId) -> CustomerView {
    world.emulator.world.customer(number(id)).expect("it is there")
}

/// Streets of the book, with the marks of the defaults.
fn streets(view: &CustomerView) -> Vec<String> {
    let line = |line: &netsuite_emulator::BookLine| {
        let marks = [(line.billing, " b"), (line.shipping, " s")];
        let marks: String = marks.iter().filter(|(on, _)| *on).map(|(_, mark)| *mark).collect();
        format!("{}{marks}", line.address.get("addr1").map_or("", String::as_str))
    };
    view.book.iter().map(line).collect()
}

fn writes(world: &World) -> usize {
    let server = &world.emulator.server;
    server.count("POST", "/record/v1/customer") + server.count("PATCH", "/record/v1/customer")
}

struct Seen {
    told: Vec<Customer>,
    deleted: Vec<Key>,
    mark: Watermark,
}

impl Seen {
    fn ids(&self) -> Vec<&str> {
        self.told.iter().map(|customer| customer.native_id.as_ref().map_or("", NativeId::as_str)).collect()
    }
}

async fn feed(world: &World, client: &NetsuiteClient, since: Option<Watermark>) -> Seen {
    let mut feed = client.customer_changes(&Context::new(), since);
    driven(world, async {
        let (mut told, mut deleted, mut mark) = (Vec::new(), Vec::new(), None);
        while let Some(event) = feed.next().await {
            match event.expect("the feed goes on") {
                FeedEvent::Upsert(observed) => told.push(observed.record),
                FeedEvent::Delete { key, .. } => deleted.push(key),
                FeedEvent::Checkpoint(at) => mark = Some(at),
                FeedEvent::Poison(poison) => panic!("{}", poison.error),
                _ => {}
            }
        }
        Seen { told, deleted, mark: mark.expect("a feed ends with a checkpoint") }
    })
    .await
}

#[tokio::test]
async fn a_person_with_two_addresses_is_made_once_though_the_answer_is_lost() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let mut wanted = ada(vec![place("Main 1", "Bonn"), place("Quay 2", "Kiel")]);
    wanted.last_name = "Länè O'Hara".to_owned();
    let before = world.emulator.world.customers().len();
    let rule = Rule::once(Some("POST"), "/record/v1/customer", Fault::DropAfterCommit);
    world.emulator.server.faults().add(rule);
    let lost = write(&world, &client, &wanted, None).await.unwrap_err();
    assert_eq!(lost.effect(), Effect::Unknown, "{lost}");
    let receipt = write(&world, &client, &wanted, None).await.unwrap();
    assert_eq!(world.emulator.world.customers().len(), before + 1);
    let back = read(&world, &client, &receipt.native_id).await;
    assert_eq!(
        (back.kind, &back.first_name, &back.last_name, &back.email),
        (CustomerKind::Person, &wanted.first_name, &wanted.last_name, &wanted.email)
    );
    assert_eq!(back.external_id.as_deref(), Some("shop:7"));
    let view = held(&world, &receipt.native_id);
    assert_eq!(streets(&view), ["Main 1 b s", "Quay 2"]);
    // What came back, sent again, is no change.
    let (count, mut again) = (writes(&world), back);
    again.key = key();
    write(&world, &client, &again, Some(&receipt.native_id)).await.unwrap();
    assert_eq!(writes(&world), count, "nothing differs, and nothing was written");
}

#[tokio::test]
async fn a_company_keeps_its_vat_number_and_finds_itself_by_it() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(|config| config.customers.tax_field = Some("vatRegNumber".to_owned()));
    let mut wanted =
        Customer::new("shop:8".into(), CustomerKind::Company, "office@lane.test").with_name("", "Lane Ltd");
    wanted.tax_id = Some("DE 123".to_owned());
    let receipt = write(&world, &client, &wanted, None).await.unwrap();
    let view = held(&world, &receipt.native_id);
    assert_eq!(
        (view.person, view.text("companyName"), view.text("vatRegNumber")),
        (false, "Lane Ltd", "DE 123")
    );
    let mut identity = CustomerIdentity::new();
    identity.tax_id = Some("DE 123".to_owned());
    let found = driven(&world, client.matching_customers(&Context::new(), &identity)).await.unwrap();
    assert_eq!(found.iter().map(|one| one.record.kind).collect::<Vec<_>>(), [CustomerKind::Company]);
    wanted.tax_id = Some("DE 124".to_owned());
    write(&world, &client, &wanted, None).await.unwrap();
    assert_eq!(held(&world, &receipt.native_id).text("vatRegNumber"), "DE 124");
    // A contact of the company who shops under its number is nobody to rename it.
    let contact = ada(Vec::new());
    let refused = write(&world, &client, &contact, Some(&receipt.native_id)).await.unwrap_err();
    assert_eq!(refused.fields()[0].code, "netsuite.kind_differs");
    assert_eq!(held(&world, &receipt.native_id).text("email"), "office@lane.test");
}

#[tokio::test]
async fn addresses_are_changed_and_added_and_what_people_added_survives() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let wanted = ada(vec![place("Main 1", "Bonn"), place("Quay 2", "Kiel")]);
    let id = write(&world, &client, &wanted, None).await.unwrap().native_id;
    let own = number(&id);
    let hall =
        [("addr1", "Hall 9"), ("city", "Ulm"), ("zip", "89073"), ("country", "DE"), ("addrPhone", "9")];
    world.emulator.world.add_address(own, "By hand", &hall).unwrap();
    world.emulator.world.add_address(own, "Typed", &[("addrText", "somewhere"), ("country", "FR")]).unwrap();
    // Another telephone is the same line; a new door is a new one.
    let mut home = place("MAIN 1", "Bonn");
    home.phone = Some("+49 1".to_owned());
    let mut shop = ada(vec![home, place("Quay 2", "Kiel"), place("Hill 4", "Köln")]);
    write(&world, &client, &shop, Some(&id)).await.unwrap();
    let view = held(&world, &id);
    assert_eq!(streets(&view), ["MAIN 1 b s", "Quay 2", "Hall 9", "", "Hill 4"]);
    assert_eq!(
        (view.book[0].address["addrPhone"].as_str(), view.book[2].label.as_str()),
        ("+49 1", "By hand")
    );
    // Removed in the shop, it stays here: nobody says that the account's people do not need it.
    shop.addresses.remove(1);
    let count = writes(&world);
    write(&world, &client, &shop, Some(&id)).await.unwrap();
    assert_eq!((streets(&held(&world, &id)).len(), writes(&world)), (5, count));
    // Moved, and known by the line's id that the shop was told: the line moves, and its second street goes.
    let mut back = read(&world, &client, &id).await;
    assert_eq!(back.addresses.len(), 4, "free text is no address that a shop could use");
    back.key = key();
    let quay = back.addresses.iter_mut().find(|address| address.city == "Kiel").unwrap();
    quay.street = vec!["Pier 3".to_owned()];
    write(&world, &client, &back, Some(&id)).await.unwrap();
    assert_eq!(streets(&held(&world, &id)), ["MAIN 1 b s", "Pier 3", "Hall 9", "", "Hill 4"]);
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_adds_its_address_once() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let id = write(&world, &client, &ada(vec![place("Main 1", "Bonn")]), None).await.unwrap().native_id;
    let wanted = ada(vec![place("Main 1", "Bonn"), place("Quay 2", "Kiel")]);
    let rule = Rule::once(Some("PATCH"), "/record/v1/customer", Fault::DropAfterCommit);
    world.emulator.server.faults().add(rule);
    let lost = write(&world, &client, &wanted, Some(&id)).await.unwrap_err();
    assert_eq!(lost.effect(), Effect::Unknown, "{lost}");
    write(&world, &client, &wanted, Some(&id)).await.unwrap();
    assert_eq!(streets(&held(&world, &id)), ["Main 1 b s", "Quay 2"]);
}

#[tokio::test]
async fn defaults_of_bills_and_parcels_follow_the_shop_and_stay_where_it_states_none() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let (mut main, mut quay) = (place("Main 1", "Bonn"), place("Quay 2", "Kiel"));
    quay.default_billing = true;
    main.default_shipping = true;
    let id = write(&world, &client, &ada(vec![main.clone(), quay.clone()]), None).await.unwrap().native_id;
    assert_eq!(streets(&held(&world, &id)), ["Main 1 s", "Quay 2 b"]);
    let back = read(&world, &client, &id).await;
    let marks: Vec<_> =
        back.addresses.iter().map(|address| (address.default_billing, address.default_shipping)).collect();
    assert_eq!(marks, [(false, true), (true, false)]);
    let plain = ada(vec![place("Main 1", "Bonn"), place("Hill 4", "Ulm")]);
    write(&world, &client, &plain, Some(&id)).await.unwrap();
    assert_eq!(streets(&held(&world, &id)), ["Main 1 s", "Quay 2 b", "Hill 4"]);
    let mut hill = place("Hill 4", "Ulm");
    hill.default_billing = true;
    hill.default_shipping = true;
    write(&world, &client, &ada(vec![hill]), Some(&id)).await.unwrap();
    assert_eq!(streets(&held(&world, &id)), ["Main 1", "Quay 2", "Hill 4 b s"]);
}

#[tokio::test]
async fn namesakes_are_told_as_several_and_the_inactive_are_none() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let hand = &world.emulator.world;
    hand.seed(&NetsuiteSeed::new().with_subsidiary(2, "Overseas"));
    for id in 900..904 {
        hand.put_customer(&Seeded::person(id, "Ada", "Lane", "Ada@Example.test"));
    }
    hand.put_customer(&Seeded::person(904, "Eve", "Lane", "x' OR '1'='1"));
    hand.put_customer(&Seeded::person(905, "Ada", "Lane", "ada@example.test").of_subsidiary(2));
    hand.set_customer_inactive(901, true).unwrap();
    hand.set_stage(902, "LEAD").unwrap();
    hand.set_stage(903, "PROSPECT").unwrap();
    assert_eq!(namesakes(&world, &client, " ADA@example.test ").await, ["900", "902", "903", "905"]);
    assert_eq!(namesakes(&world, &client, "x' OR '1'='1").await, ["904"], "a value is no part of the query");
    assert_eq!(namesakes(&world, &client, "%").await, Vec::<String>::new());
    assert_eq!(writes(&world), 0, "who looks writes nothing");
}

/// A restriction of the role hides the subsidiary's customers, and their external ids are taken all the same.
#[tokio::test]
async fn a_customer_of_a_subsidiary_that_the_role_may_not_see_is_told_with_the_remedy() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let id = write(&world, &client, &ada(Vec::new()), None).await.unwrap().native_id;
    world.emulator.world.hide("customer", number(&id), true);
    let count = world.emulator.world.customers().len();
    let refused = write(&world, &client, &ada(Vec::new()), None).await.unwrap_err();
    assert_eq!(refused.fields()[0].code, "netsuite.external_id_taken");
    assert!(refused.message().contains("see the customer's subsidiary"), "{refused}");
    let gone = write(&world, &client, &ada(Vec::new()), Some(&id)).await.unwrap_err();
    assert!(
        *gone.kind() == ErrorKind::NotFound && gone.message().contains("hidden from this role"),
        "{gone}"
    );
    assert_eq!(world.emulator.world.customers().len(), count);
    // A subsidiary that is not there, or not this role's, in NetSuite's words and at our field.
    let elsewhere = world.client_with(|config| config.customers.subsidiary = Some("9".to_owned()));
    let mut other = ada(Vec::new());
    other.key = "shop:9".into();
    let refused = write(&world, &elsewhere, &other, None).await.unwrap_err();
    assert_eq!(refused.fields()[0].path, "scope");
    assert!(refused.message().contains("customers.subsidiary"), "{refused}");
}

#[tokio::test]
async fn an_inactive_customer_is_changed_under_our_key_and_stays_inactive() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let id = write(&world, &client, &ada(vec![place("Main 1", "Bonn")]), None).await.unwrap().native_id;
    let since = feed(&world, &client, None).await.mark;
    world.clock.advance(Duration::from_secs(60));
    world.emulator.world.set_customer_inactive(number(&id), true).unwrap();
    let seen = feed(&world, &client, Some(since)).await;
    assert!(
        !seen.ids().contains(&id.as_str()) && seen.deleted.is_empty(),
        "not told, and not told as deleted"
    );
    let mut wanted = ada(Vec::new());
    wanted.first_name = "Grace".to_owned();
    let again = write(&world, &client, &wanted, None).await.unwrap();
    let view = held(&world, &id);
    assert_eq!((again.native_id, view.inactive, view.text("firstName")), (id, true, "Grace"));
}

#[tokio::test]
async fn leads_and_prospects_are_told_when_they_have_become_customers() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let hand = &world.emulator.world;
    for id in [700, 701] {
        hand.put_customer(&Seeded::person(id, "Ada", "Lane", format!("{id}@example.test")));
        hand.add_address(id, "", &[("addr1", "Main 1"), ("city", "Bonn"), ("country", "DE")]).unwrap();
    }
    hand.set_stage(700, "LEAD").unwrap();
    let client = world.client();
    let own = CUSTOMER.to_string();
    let seen = feed(&world, &client, None).await;
    assert_eq!(seen.ids(), [own.as_str(), "701"], "by rows");
    hand.deny("LIST_ADDRESS");
    assert_eq!(feed(&world, &client, None).await.ids(), [own.as_str(), "701"], "one by one");
    world.clock.advance(Duration::from_secs(60));
    hand.set_stage(700, "CUSTOMER").unwrap();
    assert!(feed(&world, &client, Some(seen.mark)).await.ids().contains(&"700"));
}

#[tokio::test]
async fn who_was_merged_is_found_where_our_key_now_stands() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let hand = &world.emulator.world;
    let id = write(&world, &client, &ada(vec![place("Main 1", "Bonn")]), None).await.unwrap().native_id;
    hand.put_customer(&Seeded::person(900, "Ada", "Lane", "ada.lane@example.test"));
    let since = feed(&world, &client, None).await.mark;
    world.clock.advance(Duration::from_secs(60));
    hand.merge_customer(number(&id));
    let seen = feed(&world, &client, Some(since)).await;
    assert_eq!(seen.deleted, [Key::from(format!("netsuite:{id}"))]);
    let external = external_id(&key()).unwrap();
    let gone = write(&world, &client, &ada(Vec::new()), Some(&id)).await.unwrap_err();
    assert_eq!((gone.kind(), gone.message().contains(&external)), (&ErrorKind::NotFound, true), "{gone}");
    hand.set_customer(900, "externalId", &external).unwrap();
    let mut wanted = ada(Vec::new());
    wanted.first_name = "Grace".to_owned();
    let receipt = write(&world, &client, &wanted, Some(&id)).await.unwrap();
    assert_eq!((receipt.native_id.as_str(), hand.customer(900).unwrap().text("firstName")), ("900", "Grace"));
}

/// Where people number customers themselves, a name is a number, and a second one is refused in words of "exists already".
#[tokio::test]
async fn a_name_that_is_a_number_is_no_external_id() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    world.emulator.world.seed(&NetsuiteSeed::new().with_own_customer_numbers());
    let client = world.client();
    write(&world, &client, &ada(Vec::new()), None).await.unwrap();
    let mut other = ada(Vec::new());
    other.key = "shop:9".into();
    let refused = write(&world, &client, &other, None).await.unwrap_err();
    assert_eq!(refused.fields()[0].code, "netsuite.name_taken");
    assert!(refused.message().contains("Auto-Generated Numbers"), "{refused}");
}

#[tokio::test]
async fn what_is_too_long_is_told_before_anything_is_sent() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let mut wanted = ada(vec![place(&"ß".repeat(151), "Bonn")]);
    let refused = write(&world, &client, &wanted, None).await.unwrap_err();
    assert_eq!(refused.fields()[0].path, "addresses[0].street[0]");
    assert_eq!(writes(&world), 0);
    // A name is cut, and whoever reads it again sees that.
    wanted = ada(vec![place(&"ß".repeat(150), "Bonn")]);
    wanted.first_name = "Ø".repeat(40);
    let id = write(&world, &client, &wanted, None).await.unwrap().native_id;
    assert_eq!(read(&world, &client, &id).await.first_name, "Ø".repeat(32));
}

async fn town(count: u64) -> World {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let hand = &world.emulator.world;
    for id in 10_000..10_000 + count {
        hand.put_customer(
            &Seeded::person(id, "Ada", format!("No {id}"), format!("{id}@example.test")).at_level(1),
        );
        let fields = [
            ("addressee", "Ada Lane"),
            ("addr1", "Main 1"),
            ("city", "Bonn"),
            ("zip", "53111"),
            ("country", "DE"),
        ];
        hand.add_address(id, "Home", &fields).expect("NetSuite takes it");
    }
    world
}

/// Requests that a snapshot takes, and what it tells.
async fn counted(world: &World, client: &NetsuiteClient) -> (usize, usize, Vec<Customer>) {
    let server = &world.emulator.server;
    let tally = || (server.count("POST", "/suiteql"), server.count("GET", "/record/v1/customer/"));
    let (queries, reads) = tally();
    let told = feed(world, client, None).await.told;
    let (more_queries, more_reads) = tally();
    (more_queries - queries, more_reads - reads, told)
}

#[tokio::test]
async fn a_thousand_customers_take_a_dozen_requests() {
    let world = town(999).await;
    let client = world.client_with(|config| config.page_size = 1000);
    let (queries, reads, told) = counted(&world, &client).await;
    assert_eq!(told.len(), 1000);
    assert_eq!(reads, 1, "one measures the clock");
    assert!(queries <= 11, "{queries} queries");
    assert!(told.iter().all(|one| one.addresses.len() == 1 || one.key == Key::from("netsuite:500")));
}

/// Rows of the list and records of the record service say the same, and where the list cannot be had, each is read.
#[tokio::test]
async fn an_account_that_hides_a_table_or_a_column_is_read_one_by_one_and_told_alike() {
    let world = town(5).await;
    let client = world.client_with(|config| {
        config.page_size = 1000;
        config.customers.subsidiaries.insert("base".to_owned(), "1".to_owned());
    });
    let hand = &world.emulator.world;
    hand.set_customer(10_001, "externalId", "shop_7").unwrap();
    hand.set_customer(10_002, "vatRegNumber", "DE 1").unwrap();
    let (_, reads, by_rows) = counted(&world, &client).await;
    assert_eq!((reads, by_rows.len()), (1, 6));
    assert_eq!((by_rows[1].scope.as_str(), by_rows[1].group.as_deref()), ("base", Some("1")));
    for what in ["column", "subsidiaries", "addresses"] {
        let spoil = |on: bool| match what {
            "column" => hand.hide_column("customer", "pricelevel", on),
            "subsidiaries" => hand.hide_column("customersubsidiaryrelationship", "isprimarysub", on),
            _ => hand.deny("LIST_ADDRESS"),
        };
        spoil(true);
        let (_, reads, one_by_one) = counted(&world, &client).await;
        assert_eq!(reads, 7, "{what}");
        for (row, record) in by_rows.iter().zip(&one_by_one) {
            let mut record = record.clone();
            record.updated_at = row.updated_at;
            assert!(*row == record, "{what}: {row:?}");
        }
        spoil(false);
    }
}

/// Without the permission the tables have no rows and no word of it: no customer loses its addresses over that.
#[tokio::test]
async fn a_role_that_sees_no_address_table_still_tells_addresses() {
    let world = World::start(LogOn::Oauth2, &[netsuite_emulator::Quirk::SilentEmpty]).await;
    let client = world.client();
    let id = write(&world, &client, &ada(vec![place("Main 1", "Bonn")]), None).await.unwrap().native_id;
    world.emulator.world.deny("LIST_ADDRESS");
    let seen = feed(&world, &client, None).await;
    let ada = seen.told.iter().find(|one| one.native_id.as_ref() == Some(&id)).unwrap();
    assert_eq!(ada.addresses.iter().map(|address| address.city.as_str()).collect::<Vec<_>>(), ["Bonn"]);
}
