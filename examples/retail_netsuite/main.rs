//! A retailer's Saturday: two websites, one NetSuite, and a warehouse system whose movements – what leaves for buyers, what a
//! supplier brings, what goes from hall to hall – and counts go through NetSuite into the shop. Orders flow as they come, stock every ten minutes, and NetSuite is away over noon.
//!
//! Shop and NetSuite are emulated and served over real HTTP; connectors, engine and ledger are the real ones. The
//! warehouse system is [`wms::Wms`], with an adapter as an agency writes it. Time is virtual.
//! Ends with `unexplained: 0` and exit code 0, or with exit code 3 if anything is not accounted for.

mod hops;
mod movers;
mod pickers;
mod report;
mod scenario;
mod script;
mod seed;
mod systems;
mod wms;

use std::process::ExitCode;

fn main() -> ExitCode {
    sdk_examples::stage::main("retail_netsuite", &["lose-one", "touch-stock"], scenario::run)
}
