//! Prices out of condition records.
//!
//! Which record wins when several apply is decided by SAP's access sequence, which no service shows: every record comes as
//! a price of its own, with its scope.

use crate::client::SapClient;
use crate::map;
use crate::wire::{ConditionRecord, Validity};
use erp_core::context::Context;
use erp_core::error::{Error, Result};
use erp_core::feed::Items;
use erp_core::model::{Price, PriceQuery};
use erp_core::roles::PriceSource;
use futures_util::{StreamExt as _, stream};
use odata_client::{Filter, Query};
use std::collections::{BTreeMap, VecDeque};

impl PriceSource for SapClient {
    fn prices(&self, cx: &Context, query: PriceQuery) -> Items<Price> {
        let types = self.config().prices.condition_types.clone();
        let scan = Scan {
            client: self.clone(),
            cx: cx.clone(),
            query,
            types: types.into(),
            after: None,
            ready: VecDeque::new(),
            failed: false,
        };
        stream::unfold(scan, |mut scan| async move {
            loop {
                if let Some(price) = scan.ready.pop_front() {
                    return Some((Ok(price), scan));
                }
                if scan.failed || scan.types.is_empty() {
                    return None;
                }
                if let Err(error) = Box::pin(scan.next_page()).await {
                    scan.failed = true;
                    return Some((Err(error.with_operation("sap.prices")), scan));
                }
            }
        })
        .boxed()
    }
}

struct Scan {
    client: SapClient,
    cx: Context,
    query: PriceQuery,
    types: VecDeque<String>,
    /// Pages are cut between condition records, because one record has several validities.
    after: Option<String>,
    ready: VecDeque<Price>,
    failed: bool,
}

impl Scan {
    async fn next_page(&mut self) -> Result<()> {
        let Some(code) = self.types.front().cloned() else { return Ok(()) };
        let config = self.client.config();
        let size = config.page_size as usize;
        let mut query = Query::new("A_SlsPrcgCndnRecdValidity")
            .filter(Filter::eq("ConditionType", code.as_str()))
            .order_by("ConditionRecord")
            .top(size as u64);
        let prices = &config.prices;
        for (field, value) in [
            ("SalesOrganization", &prices.sales_organization),
            ("DistributionChannel", &prices.distribution_channel),
        ] {
            if let Some(value) = value {
                query = query.filter(Filter::eq(field, value.as_str()));
            }
        }
        if let Some(day) = self.query.on {
            query = query.filter(Filter::le("ConditionValidityStartDate", day));
            query = query.filter(Filter::ge("ConditionValidityEndDate", day));
        }
        if let Some(after) = &self.after {
            query = query.filter(Filter::gt("ConditionRecord", after.as_str()));
        }
        let call = self.client.read_call("sap.prices");
        let rows = self.client.rows(&self.client.0.conditions, &self.cx, call, &query).await?;
        let mut validities = rows.iter().map(|(row, _)| Validity::read(row)).collect::<Result<Vec<_>>>()?;
        if validities.len() >= size {
            let cut = validities.last().map(|validity| validity.condition_record.clone()).unwrap_or_default();
            validities.retain(|validity| validity.condition_record != cut);
            if validities.is_empty() {
                return Err(Error::unexpected(
                    "one condition record has more validities than a page; raise page_size",
                ));
            }
            self.after = validities.last().map(|validity| validity.condition_record.clone());
        } else {
            self.types.pop_front();
            self.after = None;
        }
        let records = self.records(&validities).await?;
        for validity in &validities {
            let record = records.get(&validity.condition_record).ok_or_else(|| {
                Error::malformed(format!(
                    "condition record {} has a validity and is not there",
                    validity.condition_record
                ))
            })?;
            self.ready.extend(map::prices(validity, record));
        }
        Ok(())
    }

    async fn records(&self, validities: &[Validity]) -> Result<BTreeMap<String, ConditionRecord>> {
        let numbers: std::collections::BTreeSet<&String> =
            validities.iter().map(|validity| &validity.condition_record).collect();
        let mut records = BTreeMap::new();
        for filter in Filter::any_of("ConditionRecord", numbers) {
            let query =
                Query::new("A_SlsPrcgConditionRecord").filter(filter).expand(&["to_SlsPrcgCndnRecordScale"]);
            let call = self.client.read_call("sap.prices");
            for (row, _) in self.client.rows(&self.client.0.conditions, &self.cx, call, &query).await? {
                let record = ConditionRecord::read(&row)?;
                records.insert(record.condition_record.clone(), record);
            }
        }
        Ok(records)
    }
}
