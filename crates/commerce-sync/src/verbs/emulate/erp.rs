//! The ERP beside the emulated shop: an S/4HANA or a NetSuite, and the part of the config that reaches it.

use super::sample;
use erp_testkit::emulator::ServerOptions;
use netsuite_emulator::{NetsuiteEmulator, NetsuiteOptions, NetsuiteWorld, Quirk as NetsuiteQuirk};
use sap_emulator::{Access, Quirk as SapQuirk, SapEmulator, SapOptions, SapWorld};
use std::path::Path;

/// Which ERP, before it runs.
pub(super) enum Planned {
    Sap(SapOptions),
    Netsuite(NetsuiteOptions),
}

/// A running ERP.
pub(super) enum Erp {
    Sap(SapEmulator),
    Netsuite(NetsuiteEmulator),
}

impl Erp {
    /// The names of the quirks that the scenario's ERP has.
    pub(super) fn quirks(scenario: &str) -> Vec<&'static str> {
        match scenario {
            "retail" => NetsuiteQuirk::ALL.iter().map(|quirk| quirk.name()).collect(),
            _ => SapQuirk::ALL.iter().map(|quirk| quirk.name()).collect(),
        }
    }

    /// The scenario's ERP with these quirks, or the name that is none.
    pub(super) fn planned<'a>(scenario: &str, quirks: &[&'a str]) -> Result<Planned, &'a str> {
        if scenario == "retail" {
            let with = |options: NetsuiteOptions, name: &&'a str| {
                Ok(options.with_quirk(name.parse().map_err(|_| *name)?))
            };
            return quirks.iter().try_fold(NetsuiteOptions::new(), with).map(Planned::Netsuite);
        }
        let with =
            |options: SapOptions, name: &&'a str| Ok(options.with_quirk(name.parse().map_err(|_| *name)?));
        quirks.iter().try_fold(SapOptions::new(), with).map(Planned::Sap)
    }

    pub(super) fn base_url(&self) -> String {
        match self {
            Self::Sap(sap) => sap.base_url(),
            Self::Netsuite(netsuite) => netsuite.base_url(),
        }
    }

    /// Its kind in a config, and its name in this one.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Sap(_) => "sap",
            Self::Netsuite(_) => "netsuite",
        }
    }

    /// What can be denied.
    pub(super) fn rights(&self) -> Vec<&'static str> {
        match self {
            Self::Sap(_) => SapWorld::services().clone(),
            Self::Netsuite(_) => NetsuiteWorld::permissions(),
        }
    }

    pub(super) fn deny(&self, right: &str) {
        match self {
            Self::Sap(sap) => sap.world.permissions(right, Access::Forbidden),
            Self::Netsuite(netsuite) => netsuite.world.deny(right),
        }
    }

    /// Its places and the shop's.
    pub(super) const fn places(&self) -> [(&'static str, &'static str); 3] {
        match self {
            Self::Sap(_) => sample::PLANTS,
            Self::Netsuite(_) => sample::LOCATIONS,
        }
    }

    pub(super) const fn guests(&self) -> &'static str {
        match self {
            Self::Sap(_) => "one-time",
            Self::Netsuite(_) => "create",
        }
    }

    pub(super) const fn routes(&self) -> &'static str {
        match self {
            Self::Sap(_) => {
                r#"[ { store = "wholesale", sales_area = "1710/20/00" }, { store = "*", sales_area = "1710/10/00" } ]"#
            }
            Self::Netsuite(_) => {
                r#"[ { store = "wholesale", location = "3" }, { store = "*", location = "1" } ]"#
            }
        }
    }

    /// `[systems.X]`.
    pub(super) fn system(&self) -> String {
        match self {
            Self::Sap(sap) => format!(
                r#"[systems.sap]
kind = "sap"
environment = "sandbox"
base_url = "{url}"
auth = {{ type = "basic", user = "{user}", password = "{password}" }}
write_timeout = "4s"
write_horizon = "4s"

[systems.sap.orders]
pricing = {{ mode = "send_manual_conditions", price = "PMP0", discount = "RB00", shipping = "HD00" }}
one_time_customers = {{ "1710/10/00" = "{one_time}" }}
completion_block = "Z9"                       # so that the buyer's address is written onto the order

[systems.sap.customers]
sales_areas = ["1710/10/00"]
currency = "USD"

[systems.sap.inventory]
places = [ {{ plant = "1710" }}, {{ plant = "1720" }}, {{ plant = "1730" }} ]
"#,
                url = sap.base_url(),
                user = sap.user,
                password = sap.password(),
                one_time = sample::ONE_TIME,
            ),
            Self::Netsuite(netsuite) => format!(
                r#"[systems.netsuite]
kind = "netsuite"
environment = "sandbox"
account = "{account}"
base_url = "{url}"                            # a real account needs none: the host follows from its id
auth = {{ type = "oauth2", client_id = "{client}", certificate_id = "{certificate}", algorithm = "ES256", private_key = """
{key}""" }}
time_zone = "America/Los_Angeles"
concurrency = 5
write_timeout = "4s"
write_horizon = "4s"

[systems.netsuite.orders]
key_field = "custbody_commerce_key"
line_key_field = "custcol_commerce_line"
ship_method = "5"
tax = {{ mode = "override", tax_type = "1", code = "1" }}

[systems.netsuite.customers]
subsidiary = "1"
"#,
                account = netsuite.account(),
                url = netsuite.base_url(),
                client = netsuite.client_id(),
                certificate = netsuite.certificate_id(),
                key = netsuite.private_key(),
            ),
        }
    }
}

impl Planned {
    /// Serves it, keeping its state in `dir`, and fills it if it is new.
    pub(super) async fn start(self, server: ServerOptions, dir: Option<&Path>) -> std::io::Result<Erp> {
        match self {
            Self::Sap(options) => {
                let mut options = options.with_server(server);
                if let Some(dir) = dir {
                    options = options.with_path(dir.join("sap.journal"));
                }
                let sap = sap_emulator::start(options).await?;
                if sap.world.is_empty() {
                    sample::sap_seeds().iter().for_each(|seed| sap.world.seed(seed));
                }
                // Quick answers, on enough lanes: this is for trying, not for measuring.
                sap.world.set_latency(5..=30, 8);
                Ok(Erp::Sap(sap))
            }
            Self::Netsuite(options) => {
                let mut options = options.with_server(server);
                if let Some(dir) = dir {
                    options = options.with_path(dir.join("netsuite.journal"));
                }
                let netsuite = netsuite_emulator::start(options).await?;
                if netsuite.world.is_empty() {
                    netsuite.world.seed(&sample::netsuite_seed());
                }
                netsuite.world.set_pace(5..=30);
                Ok(Erp::Netsuite(netsuite))
            }
        }
    }
}
