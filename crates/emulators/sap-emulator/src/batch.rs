//! `$batch`.

use crate::env::Env;
use crate::meta::ServiceMeta;
use crate::refusal::Refusal;
use crate::state::World;
use erp_testkit::emulator::{Exchange, Reply, Store};

pub(crate) fn run(
    _store: &Store<World>,
    _env: &Env<'_>,
    _service: &'static ServiceMeta,
    _exchange: &Exchange,
    _read_only: bool,
) -> Result<Reply, Refusal> {
    Err(Refusal::new(501, "/IWFND/CM_MGW/501", "not yet"))
}
