//! The doctor: logs on, reads the role, and tries what the flows need, without writing anything that stays.
//!
//! The order goes from what everything depends on to single permissions, so that one missing thing is told once: network and
//! account, the log-on, the record service, SuiteQL, and then each permission that a need asks for. Where the role's own
//! list may be read, the answer is exact; everything is tried nevertheless, because a granted permission can be hidden by a
//! restriction or a feature that is off.

use crate::auth::TBA_ENDS;
use crate::client::NetsuiteClient;
use crate::filter::RecordFilter;
use crate::invoices;
use crate::permission::{self, Lack, Level, Trial, Want, by_id};
use crate::suiteql::wall::{CUSTOMERS, FULFILLMENTS, Wall, Yardstick};
use crate::suiteql::{Row, SuiteQl};
use crate::wire::{Body, RecordRef};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use erp_core::connector::{Finding, Need};
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_http::Request;
use http::header::ACCEPT;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long the server's time is waited for, and how many bytes of the answer are read.
const SKEW_TIMEOUT: Duration = Duration::from_secs(10);
const SKEW_BYTES: usize = 64 << 10;
const AWAY: &str = "NetSuite does not answer now; look again later";
/// A record that no account has, for trials of changing.
const NOBODY: &str = "999999999999";

pub(crate) async fn probe(client: &NetsuiteClient, cx: &Context, needs: &[Need]) -> Vec<Finding> {
    let mut findings = offline(client);
    let Some(role) = log_on(client, cx, &mut findings).await else { return findings };
    if !suiteql(client, cx, &mut findings).await {
        return findings;
    }
    let granted = grants(client, cx, role.as_deref(), &mut findings).await;
    let mut tried: BTreeSet<(&str, Level, String)> = BTreeSet::new();
    for need in needs {
        let Some(wants) = permission::wants(*need, client.config()) else {
            let text = format!("{need:?} is nothing that NetSuite offers here");
            findings.push(Finding::bad(format!("{need:?}"), text, "Use another system for it"));
            continue;
        };
        for want in wants {
            if tried.insert((want.id, want.level, format!("{:?}", want.trial))) {
                findings.push(try_one(client, cx, &want, granted.as_ref()).await);
            }
        }
    }
    if needs.contains(&Need::WriteOrders) {
        findings.extend(order_settings(client));
        #[cfg(feature = "soap")]
        if client.config().orders.tax.mode == crate::config::TaxMode::Legacy {
            findings.extend(soap(client, cx).await);
        }
    }
    let customers = needs.iter().any(|need| matches!(need, Need::ReadCustomers | Need::WriteCustomers));
    findings.extend(client.field_findings(cx, needs.contains(&Need::WriteOrders), customers).await);
    if let Some(by) = yardstick(client, needs) {
        findings.push(zone(client, cx, by).await);
    }
    findings
}

/// What can be told without asking NetSuite.
fn offline(client: &NetsuiteClient) -> Vec<Finding> {
    let config = client.config();
    let mut findings = Vec::new();
    if config.auth.is_tba() {
        findings.push(Finding::warning(
            "log-on method",
            TBA_ENDS,
            "Set up > Integration > OAuth 2.0 Client Credentials (M2M) Setup",
        ));
    }
    if config.account.is_release_preview() {
        let text = "this is a release preview: what fails here fails in production after the next release";
        findings.push(Finding::warning("account", text, "Tell whoever maintains this integration"));
    }
    findings
}

/// Logs on; the role's id if the token tells it. `None` if nothing else can be tried.
async fn log_on(
    client: &NetsuiteClient,
    cx: &Context,
    findings: &mut Vec<Finding>,
) -> Option<Option<String>> {
    let check = "log on";
    let mut role = None;
    if let Some(oauth2) = &client.0.oauth2 {
        match oauth2.token().await {
            Ok(token) => {
                let claims = Claims::of(token.expose());
                role = claims.as_ref().and_then(|claims| claims.role().map(str::to_owned));
                let lacking = claims.is_some_and(|claims| claims.lacks_scope());
                if lacking {
                    findings.push(Finding::bad(
                        "scope of the token",
                        "the token lacks the scope rest_webservices",
                        "Tick REST Web Services on the integration record (Setup > Integration > Manage Integrations)",
                    ));
                    return None;
                }
            }
            Err(error) => {
                findings.push(refused_log_on(client, check, &error).await);
                return None;
            }
        }
    }
    let path = "/services/rest/system/v1/serverTime";
    let told = match client.get(cx, path).await {
        // Releases before 2025.2 have no server time: whether anybody is let in, another answer tells.
        Err(error) if nobody_answers(&error) => select_one(client, cx).await,
        told => told.map(drop),
    };
    match told {
        Err(error) if nobody_answers(&error) => {
            findings.push(wrong_host(check, &error));
            return None;
        }
        Err(error) if !was_let_in(&error) => {
            findings.push(refused_log_on(client, check, &error).await);
            return None;
        }
        _ => {}
    }
    let who = role.as_ref().map_or_else(|| "accepted".to_owned(), |role| format!("accepted; role {role}"));
    findings.push(Finding::good(check, who));
    Some(role)
}

async fn select_one(client: &NetsuiteClient, cx: &Context) -> Result<()> {
    let query = SuiteQl::new("SELECT 1 AS n FROM dual");
    client.suiteql_page(cx, "netsuite.probe", &query, 1, 0).await.map(drop)
}

/// A redirect or a page for people: whoever sent it has looked at no log-on.
fn nobody_answers(error: &Error) -> bool {
    *error.kind() == ErrorKind::Config && error.upstream().is_some_and(|upstream| upstream.code.is_none())
}

/// A refusal that comes after the log-on.
fn was_let_in(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Config | ErrorKind::Invalid { .. })
}

fn wrong_host(check: &str, error: &Error) -> Finding {
    let remedy = "Correct base_url, or leave it out: the domain follows from the account";
    Finding::bad(check, error.message(), remedy)
}

/// What a token says of itself. It is not verified: it is ours.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: String,
    #[serde(default)]
    scope: serde_json::Value,
}

impl Claims {
    fn of(token: &str) -> Option<Self> {
        let payload = token.split('.').nth(1)?;
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    /// `role;entity`.
    fn role(&self) -> Option<&str> {
        self.sub.split_once(';').map(|(role, _)| role).filter(|role| !role.is_empty())
    }

    fn lacks_scope(&self) -> bool {
        let text = self.scope.to_string();
        !self.scope.is_null() && !text.contains("rest_webservices")
    }
}

/// NetSuite says `INVALID_LOGIN` for everything: what can be told apart is told apart here, the rest as candidates.
async fn refused_log_on(client: &NetsuiteClient, check: &str, error: &Error) -> Finding {
    let config = client.config();
    if matches!(error.kind(), ErrorKind::Transient | ErrorKind::Throttled) {
        return Finding::bad(check, error.to_string(), AWAY);
    }
    if matches!(error.kind(), ErrorKind::Permission { .. }) {
        return Finding::bad(check, error.to_string(), error.message());
    }
    let mut candidates = Vec::new();
    match clock_skew(client).await {
        Some(skew) if skew.abs() > 60 => {
            candidates.push(format!("this machine's clock is {skew} s off NetSuite's: set it (InvalidTimestamp, TokenNotAcceptable)"));
        }
        _ => {}
    }
    let login = if config.auth.is_tba() {
        ["ADMI_RESTWEBSERVICES", "ADMI_LOGIN_OAUTH"]
    } else {
        ["ADMI_RESTWEBSERVICES", "ADMI_LOGIN_OAUTH2"]
    };
    for id in login {
        if let Some(permission) = by_id(id) {
            let level = Level::Full;
            candidates.push(format!(
                "the role may lack {}: {}",
                Lack::of(permission, level),
                Lack::of(permission, level).remedy()
            ));
        }
    }
    candidates.push("the role or the user may be inactive, or the integration record blocked (permission_denied, IntegrationBlocked)".to_owned());
    candidates.push(if config.auth.is_tba() {
        "a secret may be wrong, or the token of another account: sandboxes have their own (InvalidSignature, token_rejected)".to_owned()
    } else {
        "certificate id, client id and private key may not belong together, or the certificate has ended (MissingKey, SignatureValidation)".to_owned()
    });
    let remedy = format!(
        "Read the reason at Setup > Users/Roles > View Login Audit Trail, column Detail. In the order of likelihood: {}",
        candidates.join("; ")
    );
    Finding::bad(check, error.to_string(), remedy)
}

/// How far our clock is behind NetSuite's, in seconds, by any answer to a request without a log-on: one more that is
/// refused could lock the user, and without a token none would be sent.
async fn clock_skew(client: &NetsuiteClient) -> Option<i64> {
    let account = client.config().account.realm();
    let path = format!("/rest/datacenterurls?account={account}");
    let request = Request::get(client.0.http.rebase(&path).ok()?).with_header(ACCEPT, "application/json");
    let answer = client.0.http.transport().send(request, SKEW_TIMEOUT, SKEW_BYTES).await.ok()?;
    let theirs = erp_http::retry::date(&answer)?;
    Some(theirs.as_secs() - answer.started.as_secs())
}

/// Whether SuiteQL can be used at all: a feature and a permission.
async fn suiteql(client: &NetsuiteClient, cx: &Context, findings: &mut Vec<Finding>) -> bool {
    let check = "use SuiteQL";
    match select_one(client, cx).await {
        Ok(()) => {
            findings.push(Finding::good(check, "allowed"));
            true
        }
        Err(error) if *error.kind() == ErrorKind::Auth => {
            findings.push(refused_log_on(client, check, &error).await);
            false
        }
        Err(error) if matches!(error.kind(), ErrorKind::Transient | ErrorKind::Throttled) => {
            findings.push(Finding::bad(check, error.to_string(), AWAY));
            false
        }
        Err(error) if nobody_answers(&error) => {
            findings.push(wrong_host(check, &error));
            false
        }
        Err(error) => {
            let lack = by_id("REPO_ANALYTICS").map(|permission| Lack::of(permission, Level::Edit));
            let remedy = lack.as_ref().map(Lack::remedy).unwrap_or_default();
            let detail = match (error.kind(), &lack) {
                (ErrorKind::Permission { .. }, Some(lack)) => format!("the role lacks {lack}"),
                _ => error.to_string(),
            };
            let feature = "or the feature SuiteAnalytics Workbook is off (Setup > Company > Enable Features > Analytics)";
            findings.push(Finding::bad(check, detail, format!("{remedy}, {feature}")));
            false
        }
    }
}

/// What the role has, by permission id.
type Grants = BTreeMap<String, Option<Level>>;

/// What the role has, with no level where it is written in a way that is not known; `None` if that may not be read, or not
/// as a whole.
async fn grants(
    client: &NetsuiteClient,
    cx: &Context,
    role: Option<&str>,
    findings: &mut Vec<Finding>,
) -> Option<Grants> {
    let role = role?;
    let query = SuiteQl::new("SELECT permkey, permlevel FROM rolepermissions WHERE role = ").bind(role);
    match client.suiteql_page(cx, "netsuite.probe", &query, 1000, 0).await {
        Ok(page) if page.rows.is_empty() || page.has_more => None,
        Ok(page) => {
            let level = |row: &Row| Level::from_number(row.text("permlevel"));
            Some(page.rows.iter().map(|row| (row.text("permkey").to_uppercase(), level(row))).collect())
        }
        Err(_) => {
            findings.push(Finding::good(
                "read the role's own permissions",
                "not allowed, and not needed: each is tried instead (Setup > Bulk Manage Roles at View makes this exact)",
            ));
            None
        }
    }
}

async fn try_one(client: &NetsuiteClient, cx: &Context, want: &Want, granted: Option<&Grants>) -> Finding {
    let check = want.purpose;
    let Some(permission) = by_id(want.id) else {
        return Finding::bad(check, format!("{} is not in the table", want.id), "Report this");
    };
    let lack = Lack::of(permission, want.level);
    let held = granted.map(|granted| granted.get(want.id));
    if let Some(held) = held
        && held.is_none_or(|level| level.is_some_and(|level| level < want.level))
    {
        let has = held.copied().flatten().map_or_else(|| "nothing".to_owned(), |level| level.to_string());
        return Finding::bad(check, format!("the role lacks {lack}; it has {has}"), lack.remedy());
    }
    match trial(client, cx, want.trial).await {
        Ok(Seen::Something) => Finding::good(check, "allowed"),
        // With the role's own list at hand, nothing is nothing.
        Ok(Seen::Nothing) if granted.is_some() => Finding::good(check, "allowed; there is none yet"),
        Ok(Seen::Nothing) => Finding::warning(
            check,
            format!(
                "allowed, and nothing came: there is none, or the role lacks {lack}, or a restriction hides it"
            ),
            format!("compare with an administrator's count; else {}", lack.remedy()),
        ),
        Err(error) => trouble(check, &error, &lack),
    }
}

enum Seen {
    Something,
    Nothing,
}

async fn trial(client: &NetsuiteClient, cx: &Context, trial: Trial) -> Result<Seen> {
    let seen = |any: bool| if any { Seen::Something } else { Seen::Nothing };
    match trial {
        Trial::Table(table) => {
            // One row will do: a table of transactions takes long to count.
            let query = SuiteQl::new("SELECT COUNT(*) AS n FROM ").then(table).then(" WHERE ROWNUM <= 1");
            let n = crate::suiteql::scan::count(client, cx, "netsuite.probe", &query).await?;
            Ok(seen(n > 0))
        }
        Trial::List(kind) => {
            let page = client.list_records(cx, kind, &RecordFilter::all(), 1, 0).await?;
            Ok(seen(!page.ids.is_empty()))
        }
        Trial::Form(kind) => client.create_form(cx, kind).await.map(|_| Seen::Something),
        Trial::Change(kind) => {
            // A field that the record has: an unknown one might be refused before the right is looked at.
            let change = Body::new().with(if kind == "customer" { "comments" } else { "memo" }, "");
            let nobody = RecordRef::id(NOBODY);
            match client.update_record(cx, kind, &nobody, &change, &[]).await {
                Ok(()) => Ok(Seen::Something),
                // Allowed, and not there: as it should be.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Invalid { .. }) => {
                    Ok(Seen::Something)
                }
                Err(error) => Err(error),
            }
        }
    }
}

/// What is wrong with a trial, and who mends it where. NetSuite calls a missing permission "not found" in places.
fn trouble(check: &str, error: &Error, lack: &Lack) -> Finding {
    // A table that the role may not read is "not found" in some accounts, and then the query is what is said to be wrong.
    let dressed_up =
        matches!(error.kind(), ErrorKind::Invalid { .. }) && error.message().contains("not found");
    let detail = match error.kind() {
        ErrorKind::Permission { missing } => match others(missing, lack) {
            // Forms, and scripts that run on save, ask for permissions of other records.
            Some(others) => return Finding::bad(check, format!("the role lacks {others}"), error.message()),
            None => format!("the role lacks {lack}"),
        },
        _ if dressed_up => {
            format!("NetSuite says \"not found\": the role lacks {lack}, or the feature is off")
        }
        ErrorKind::NotFound | ErrorKind::Config => {
            format!("NetSuite says \"{}\": the role lacks {lack}, or the feature is off", error.message())
        }
        _ => error.to_string(),
    };
    let remedy = match error.kind() {
        ErrorKind::Transient | ErrorKind::Throttled => AWAY.to_owned(),
        ErrorKind::Auth => "Renew the credentials".to_owned(),
        _ => lack.remedy(),
    };
    Finding::bad(check, detail, remedy)
}

/// The permissions that NetSuite names, if they are known and are not the one that was tried.
fn others(missing: &[String], lack: &Lack) -> Option<String> {
    let known =
        |named: &String| permission::ALL.iter().any(|known| named.contains(&format!("({})", known.id)));
    let own = |named: &String| lack.id.is_some_and(|id| named.contains(&format!("({id})")));
    let other = !missing.is_empty() && missing.iter().all(known) && !missing.iter().any(own);
    other.then(|| missing.join(", "))
}

/// What is best configured and is not.
fn order_settings(client: &NetsuiteClient) -> Option<Finding> {
    client.config().orders.line_key_field.is_none().then(|| {
        Finding::warning(
            "keep our line ids",
            "orders.line_key_field is not set: after a lost answer lines can be told apart by their order only",
            "Create a Transaction Line Field (free-form text, applied to Sale) and name it in orders.line_key_field",
        )
    })
}

/// Whether the role is let in by SOAP, where orders need it. The item that is asked for need not be there.
#[cfg(feature = "soap")]
async fn soap(client: &NetsuiteClient, cx: &Context) -> Vec<Finding> {
    let ends = "Let NetSuite compute tax, move to SuiteTax, or carry tax as an item, before it does";
    let mut findings = vec![Finding::warning("orders by SOAP", crate::soap::SOAP_ENDS, ends)];
    let check = "log on by SOAP";
    let Some(permission) = by_id("ADMI_WEBSERVICES") else { return findings };
    let lack = Lack::of(permission, Level::Full);
    let names_it = |missing: &Vec<String>| missing.iter().any(|missing| missing.contains(permission.id));
    let told = client.get_item_availability(cx, &[RecordRef::id("1")], None).await;
    findings.push(match told.as_ref().map_err(|error| (error, error.kind())) {
        Ok(_) | Err((_, ErrorKind::Invalid { .. } | ErrorKind::NotFound)) => Finding::good(check, "allowed"),
        // Let in, and then without a right that is told of elsewhere.
        Err((_, ErrorKind::Permission { missing })) if !names_it(missing) => Finding::good(check, "allowed"),
        Err((error, ErrorKind::Config)) => {
            let feature = "Enable SOAP Web Services at Setup > Company > Enable Features > SuiteCloud";
            Finding::bad(check, error.message(), feature)
        }
        Err((error, ErrorKind::Auth)) => refused_log_on(client, check, error).await,
        Err((error, _)) => trouble(check, error, &lack),
    });
    findings
}

/// A table that a feed reads by time, and which this role must therefore be able to read.
fn yardstick(client: &NetsuiteClient, needs: &[Need]) -> Option<Yardstick> {
    let bills = invoices::yardstick(client.config());
    let feeds = [
        (Need::ReadCustomers, CUSTOMERS),
        (Need::ReadFulfillments, FULFILLMENTS),
        (Need::ReadInvoices, bills),
    ];
    feeds.into_iter().find(|(need, _)| needs.contains(need)).map(|(_, by)| by)
}

async fn zone(client: &NetsuiteClient, cx: &Context, by: Yardstick) -> Finding {
    let check = "time zone of SuiteQL";
    match Wall::measure(client, cx, by).await {
        Ok(wall) if !wall.is_measured() => Finding::good(check, "nothing to measure it by yet"),
        Ok(wall) if client.config().time_zone.is_none() => Finding::warning(
            check,
            format!("times are {} from UTC, and time_zone is not set", wall.distance()),
            "Set time_zone to the IANA zone that this is, so that feeds need not read an hour again with each poll",
        ),
        Ok(wall) => Finding::good(check, format!("measured {} from UTC, as configured", wall.distance())),
        Err(error) => Finding::bad(check, error.message(), "Correct time_zone, or leave it out"),
    }
}
