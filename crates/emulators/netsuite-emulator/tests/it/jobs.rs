//! Asynchronous requests and batches.

use crate::town::{Answer, Asked, RECORD, TIME, Town};
use serde_json::{Value, json};
use std::time::Duration;

const COLLECTION: &str = "application/vnd.oracle.resource+json; type=collection";

fn later(method: &str, path: &str, kind: &str, body: &Value) -> Asked {
    Asked::new(method, format!("{RECORD}/{path}"))
        .with("content-type", kind)
        .with("prefer", "respond-async")
        .body(body.to_string())
}

fn path(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.header("preference-applied"), "respond-async");
    let location = answer.header("location");
    location[location.find("/services").expect("a path")..].to_owned()
}

async fn see(town: &Town, path: &str) -> Answer {
    town.ask(Asked::new("GET", path)).await
}

async fn done(town: &Town, job: &str) -> Answer {
    town.clock.advance(Duration::from_secs(3));
    for _ in 0..100 {
        let answer = see(town, job).await;
        if answer.body["completed"] == true {
            return answer;
        }
    }
    panic!("the job never ends");
}

fn customer(name: &str) -> Value {
    json!({"companyName": name, "externalId": name})
}

#[tokio::test]
async fn a_job_is_taken_at_once_and_done_later() {
    let town = Town::new();
    let job = path(&town.ask(later("POST", "customer", "application/json", &customer("A"))).await);
    let pending = see(&town, &job).await;
    assert_eq!((&pending.body["completed"], &pending.body["progress"]), (&json!(false), &json!("pending")));
    assert_eq!(town.get("customer/eid:A").await.status, 404, "nothing is there yet");
    assert_eq!(see(&town, &format!("{job}/task/1/result")).await.status, 404);
    assert_eq!(done(&town, &job).await.body["progress"], "succeeded");
    let task = see(&town, &format!("{job}/task/1")).await;
    assert_eq!((&task.body["completed"], &task.body["progress"]), (&json!(true), &json!("succeeded")));
    let made = see(&town, &format!("{job}/task/1/result")).await.id();
    assert_eq!(town.get("customer/eid:A").await.body["id"], made.to_string());
    assert_eq!(see(&town, "/services/rest/async/v1/job/9").await.status, 404);
}

#[tokio::test]
async fn a_failed_job_keeps_the_refusal() {
    let town = Town::new();
    let job =
        path(&town.ask(later("POST", "customer", "application/json", &json!({"email": "a@b.test"}))).await);
    assert_eq!(done(&town, &job).await.body["progress"], "failed");
    let result = see(&town, &format!("{job}/task/1/result")).await;
    assert_eq!((result.status, result.place()), (400, "companyName"));
}

#[tokio::test]
async fn a_key_makes_a_job_once_and_a_plain_request_twice() {
    let town = Town::new();
    let asked = |name| {
        later("POST", "customer", "application/json", &customer(name))
            .with("x-netsuite-idempotency-key", "k1")
    };
    let first = path(&town.ask(asked("A")).await);
    let again = town.ask(asked("B")).await;
    assert_eq!((again.status, again.code()), (400, "IDEMPOTENCY_ERROR"));
    assert!(again.header("location").ends_with(&first), "{}", again.header("location"));
    done(&town, &first).await;
    assert_eq!(town.get("customer/eid:B").await.status, 404);
    for _ in 0..2 {
        let plain = Asked::new("POST", format!("{RECORD}/customer")).with("x-netsuite-idempotency-key", "k2");
        town.ask(plain.body(json!({"companyName": "Twice"}).to_string())).await.id();
    }
    let twice = town.get("customer?q=companyName%20IS%20Twice").await;
    assert_eq!(twice.body["totalResults"], 2, "the header means nothing without a job");
}

#[tokio::test]
async fn a_batch_is_one_job_of_a_task_for_each_record() {
    let town = Town::new();
    let items = json!({"items": [customer("A"), {"email": "x"}, customer("B")]});
    let job = path(&town.ask(later("POST", "customer", COLLECTION, &items)).await);
    assert_eq!(done(&town, &job).await.body["progress"], "failed");
    assert_eq!(see(&town, &format!("{job}/task")).await.body["totalResults"], 3);
    let mut states = Vec::new();
    for task in 1..=3 {
        states.push(see(&town, &format!("{job}/task/{task}/result")).await.status);
    }
    assert_eq!(states, [204, 400, 204], "one that fails holds up no other");
    let changes = json!({"items": [{"externalId": "A", "comments": "one"}]});
    done(&town, &path(&town.ask(later("PATCH", "customer", COLLECTION, &changes)).await)).await;
    assert_eq!(town.get("customer/eid:A").await.body["comments"], "one");
    let upserts =
        json!({"items": [{"externalId": "A", "comments": "two"}, {"externalId": "C", "companyName": "C"}]});
    done(&town, &path(&town.ask(later("PUT", "customer", COLLECTION, &upserts)).await)).await;
    assert_eq!(town.get("customer/eid:A").await.body["comments"], "two");
    assert_eq!(town.get("customer/eid:C").await.body["companyName"], "C");
    let gone = later("DELETE", "customer?ids=eid:A,eid:C", "application/json", &json!({}));
    done(&town, &path(&town.ask(gone).await)).await;
    assert_eq!(town.get("customer/eid:A").await.status, 404);
    assert_eq!(town.get("customer/eid:B").await.status, 200);
}

#[tokio::test]
async fn a_batch_has_a_limit_and_is_always_a_job() {
    let town = Town::new();
    let many: Vec<Value> = (0..101).map(|at| customer(&format!("M{at}"))).collect();
    let refused = town.ask(later("POST", "customer", COLLECTION, &json!({ "items": many }))).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    let none = town.ask(later("POST", "customer", COLLECTION, &json!({"items": []}))).await;
    assert_eq!(none.status, 400);
    let now = Asked::new("POST", format!("{RECORD}/customer")).with("content-type", COLLECTION);
    let now = town.ask(now.body(json!({"items": [customer("A")]}).to_string())).await;
    assert_eq!((now.status, now.code()), (400, "INVALID_HEADER"));
    let upsert = json!({"items": [{"id": "500", "comments": "x"}]});
    assert_eq!(town.ask(later("PUT", "customer", COLLECTION, &upsert)).await.place(), "items[0]");
    assert_eq!(town.ask(Asked::new("GET", TIME).with("prefer", "respond-async")).await.status, 400);
}
