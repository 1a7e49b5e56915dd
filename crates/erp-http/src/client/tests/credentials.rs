//! Many requests whose credential is refused at the same time: each is sent once more with the new one, and it is fetched
//! or read once.

use super::{Table, secs};
use crate::auth::Authorize;
use crate::auth::oauth1::{OAuth1, OAuth1Keys};
use crate::auth::oauth2::OAuth2Config;
use crate::auth::secret::SecretSource;
use crate::client::HttpClient;
use crate::quota::Limits;
use crate::request::{Call, Request};
use crate::script::{Script, Step};
use crate::testing::{clock, drive};
use erp_core::context::Context;
use erp_core::error::Result;
use erp_core::id::SystemId;
use erp_core::time::Clock;
use erp_testkit::clock::VirtualClock;
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

const MANY: usize = 12;

struct World {
    clock: VirtualClock,
    script: Script,
    client: HttpClient,
}

impl World {
    fn new(authorize: impl FnOnce(&Script, Arc<dyn Clock>) -> Arc<dyn Authorize>) -> Self {
        let clock = clock();
        let script = Script::new(clock.shared());
        let client = HttpClient::builder(SystemId::new("ns"), "https://ns.test/", Arc::new(Table))
            .clock(clock.shared())
            .transport(script.transport())
            .authorize(authorize(&script, clock.shared()))
            .limits(Limits::new().with_concurrency(MANY))
            .build()
            .unwrap();
        Self { clock, script, client }
    }

    fn oauth2() -> Self {
        Self::new(|script, clock| {
            let config = OAuth2Config::client_credentials("https://ns.test/token", "id".into(), "s".into());
            Arc::new(config.build(script.transport(), clock).unwrap())
        })
    }

    fn issues(&self, token: &str) {
        let body = format!(r#"{{"access_token":"{token}","token_type":"bearer","expires_in":3600}}"#);
        self.script.expect(Step::post("/token").with_json(200, body).after(secs(2)));
    }

    fn answers(&self, token: &str, status: u16) {
        for _ in 0..MANY {
            let step = Step::post("/x").expecting_header("authorization", format!("Bearer {token}"));
            self.script.expect(step.with_answer(status, "").after(secs(1)));
        }
    }

    /// Many writes at once: a credential that is refused is the one reason for which they are sent again.
    fn all(&self) -> Vec<Result<()>> {
        let cx = Context::new();
        let one = async || {
            let request = Request::post("https://ns.test/x".parse().unwrap());
            self.client.execute(&cx, Call::once("t"), request).await.map(drop)
        };
        drive(&self.clock, join_all((0..MANY).map(|_| one())))
    }

    fn all_pass(&self) {
        let refused: Vec<_> = self.all().into_iter().filter_map(Result::err).collect();
        assert!(refused.is_empty(), "{} of {MANY}: {refused:?}", refused.len());
        self.script.assert_done();
    }
}

#[test]
fn an_ended_token_is_fetched_once_and_nobody_is_refused() {
    let world = World::oauth2();
    world.issues("t1");
    world.answers("t1", 200);
    world.all_pass();
    world.clock.advance(secs(4000));
    world.issues("t2");
    world.answers("t2", 200);
    world.all_pass();
}

#[test]
fn a_token_that_is_refused_to_many_is_fetched_once_and_each_is_sent_once_more() {
    let world = World::oauth2();
    world.issues("t1");
    world.answers("t1", 401);
    world.issues("t2");
    world.answers("t2", 200);
    world.all_pass();
}

#[test]
fn a_new_token_that_is_refused_too_is_told_and_not_fetched_for_each() {
    let world = World::oauth2();
    world.issues("t1");
    world.answers("t1", 401);
    world.issues("t2");
    world.answers("t2", 401);
    assert!(world.all().iter().all(|told| told.as_ref().is_err_and(|error| error.code() == "erp.auth")));
    world.script.assert_done();
}

struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("erp-http-{name}-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Whoever is refused second finds the new secret read already: that is no reason to give up.
#[test]
fn keys_that_were_exchanged_are_used_by_each_request_that_was_refused() {
    for exchanged in ["token", "token_secret"] {
        let file = File::new(&format!("exchanged-{exchanged}"), "old");
        let kept = |name: &str| {
            if name == exchanged { SecretSource::file(&file.0) } else { SecretSource::text("kept") }
        };
        let keys = OAuth1Keys::new("consumer".into(), "hush".into(), kept("token"), kept("token_secret"));
        let world = World::new(|_, clock| Arc::new(OAuth1::new(keys, clock)));
        world.script.expect(Step::get("/x"));
        let read = Request::get("https://ns.test/x".parse().unwrap());
        drive(&world.clock, world.client.execute(&Context::new(), Call::read("t"), read)).unwrap();
        std::fs::write(&file.0, "new").unwrap();
        for status in [401, 200] {
            for _ in 0..MANY {
                world.script.expect(Step::post("/x").with_answer(status, "").after(secs(1)));
            }
        }
        world.all_pass();
        let sent = world.script.sent();
        let headers: BTreeSet<_> =
            sent.iter().map(|request| request.headers["authorization"].to_str().unwrap()).collect();
        assert_eq!(headers.len(), sent.len(), "each try is signed anew");
        // Keys that nobody has exchanged are not tried again: five refusals lock a user.
        for _ in 0..MANY {
            world.script.expect(Step::post("/x").with_answer(401, "").after(secs(1)));
        }
        assert!(world.all().iter().all(|told| told.as_ref().is_err_and(|error| error.code() == "erp.auth")));
        world.script.assert_done();
    }
}
