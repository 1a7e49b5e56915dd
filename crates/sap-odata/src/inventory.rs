//! Stock: unrestricted stock on hand, or what SAP may still promise.
//!
//! On hand is `API_MATERIAL_STOCK_SRV`, read in full each time because it tells of no change; a material's many rows
//! (batches, storage locations) are summed, special stocks and other stock types are left out. Available is
//! `API_PRODUCT_AVAILY_INFO_BASIC`: one function call per material and plant, many of them in one batch.

use crate::client::SapClient;
use crate::config::StockPlace;
use crate::error::SapErrors;
use crate::wire::{Availability, Row, StockRow};
use async_trait::async_trait;
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::feed::Items;
use erp_core::id::{LocationId, Sku};
use erp_core::model::{Basis, InventoryLevel, InventoryQuery};
use erp_core::money::Quantity;
use erp_core::roles::{InventorySource, level_key};
use erp_core::time::Timestamp;
use erp_http::Classify as _;
use futures_util::{StreamExt as _, stream};
use odata_client::{Batch, BatchItem, Filter, Literal, Query, envelope};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How far a page may grow when one material alone fills it.
const PAGE_MAX: usize = 100_000;

#[async_trait]
impl InventorySource for SapClient {
    fn inventory(&self, cx: &Context, query: InventoryQuery) -> Items<InventoryLevel> {
        let places = match self.places(&query.locations) {
            Ok(places) => places,
            Err(error) => return stream::iter([Err(error)]).boxed(),
        };
        let scan = Scan {
            client: self.clone(),
            cx: cx.clone(),
            places: places.into(),
            after: None,
            size: self.config().page_size as usize,
            ready: VecDeque::new(),
            failed: false,
        };
        stream::unfold(scan, |mut scan| async move {
            loop {
                if let Some(level) = scan.ready.pop_front() {
                    return Some((level, scan));
                }
                if scan.failed || scan.places.is_empty() {
                    return None;
                }
                if let Err(error) = Box::pin(scan.next_page()).await {
                    scan.failed = true;
                    return Some((Err(error.with_operation("sap.inventory")), scan));
                }
            }
        })
        .boxed()
    }

    async fn inventory_of(&self, cx: &Context, skus: &[Sku]) -> Result<Vec<InventoryLevel>> {
        let by_material: BTreeMap<String, &Sku> =
            skus.iter().map(|sku| (crate::map::material(self.config(), sku), sku)).collect();
        let materials: BTreeSet<String> = by_material.keys().cloned().collect();
        let mut levels = Vec::new();
        match self.config().inventory.basis {
            Basis::OnHand => levels.extend(self.on_hand_of(cx, &materials).await?),
            Basis::Available => {
                for place in self.places(&[])? {
                    levels.extend(self.available(cx, &place, materials.iter()).await?);
                }
            }
        }
        // Whoever asks by his own spelling gets it back.
        for level in &mut levels {
            if let Some(sku) = by_material.get(level.sku.as_str()) {
                level.sku = (*sku).clone();
            }
        }
        Ok(levels)
    }
}

/// Where a scan stands. Pages are cut between materials, so that no sum is split.
struct Scan {
    client: SapClient,
    cx: Context,
    places: VecDeque<Place>,
    after: Option<String>,
    size: usize,
    ready: VecDeque<Result<InventoryLevel>>,
    failed: bool,
}

/// A place to be read; without a plant, each plant is a place of its own.
#[derive(Debug, Clone)]
struct Place(Option<StockPlace>);

impl Place {
    fn filter(&self) -> Option<Filter> {
        let place = self.0.as_ref()?;
        let plant = Filter::eq("Plant", place.plant.as_str());
        Some(match &place.storage_location {
            Some(storage) => plant.and(Filter::eq("StorageLocation", storage.as_str())),
            None => plant,
        })
    }

    fn location(&self, plant: &str) -> LocationId {
        self.0.as_ref().map_or_else(|| LocationId::new(plant), StockPlace::location)
    }
}

/// Quantity, unit and the oldest time of one sum; or why it is no figure, because a row of it cannot be read.
type Sum = std::result::Result<(Decimal, String, Timestamp), String>;

/// Sums by material and location.
#[derive(Default)]
struct Sums(BTreeMap<(String, LocationId), Sum>);

impl Sums {
    fn add(&mut self, row: &StockRow, location: LocationId, quantity: Decimal, at: Timestamp) {
        let at_first = || Ok((Decimal::ZERO, row.unit.clone(), at));
        let sum = self.0.entry((row.material.clone(), location)).or_insert_with(at_first);
        let Ok((total, _, oldest)) = sum else { return };
        match total.checked_add(quantity) {
            Some(more) => (*total, *oldest) = (more, at.min(*oldest)),
            None => *sum = Err("MatlWrhsStkQtyInMatlBaseUnit in SAP's answer is out of range".to_owned()),
        }
    }

    fn spoil(&mut self, at: (String, LocationId), why: &str) {
        self.0.insert(at, Err(why.to_owned()));
    }

    fn into_levels(self) -> impl Iterator<Item = Result<InventoryLevel>> {
        self.0.into_iter().map(|((material, location), sum)| match sum {
            Ok((quantity, unit, at)) => {
                Ok(InventoryLevel::new(material, location, in_unit(quantity, unit), Basis::OnHand, at))
            }
            Err(why) => {
                let key = level_key(&material.as_str().into(), location.as_str());
                Err(Error::unreadable(&key, format!("stock of {material} at {location}: {why}")))
            }
        })
    }
}

fn in_unit(quantity: Decimal, unit: String) -> Quantity {
    let quantity = Quantity::new(quantity.normalize());
    if unit.is_empty() { quantity } else { quantity.with_unit(unit) }
}

impl Scan {
    async fn next_page(&mut self) -> Result<()> {
        let Some(place) = self.places.front().cloned() else { return Ok(()) };
        let basis = self.client.config().inventory.basis;
        let mut query = Query::new("A_MatlStkInAcctMod").order_by("Material").top(self.size as u64);
        if let Some(filter) = place.filter() {
            query = query.filter(filter);
        }
        if basis == Basis::OnHand {
            query = query.filter(unrestricted());
        }
        if let Some(after) = &self.after {
            query = query.filter(Filter::gt("Material", after.as_str()));
        }
        let call = self.client.read_call("sap.inventory");
        let rows = self.client.rows(&self.client.0.stock, &self.cx, call, &query).await?;
        let full = rows.len() >= self.size;
        // Pages are cut by material: a row without one cannot be passed by.
        let mut stock = rows
            .into_iter()
            .map(|(row, at)| Ok((row.required("Material")?, row, at)))
            .collect::<Result<Vec<_>>>()?;
        if full {
            // The last material may go on in the next page.
            let cut = stock.last().map(|(material, ..)| material.clone()).unwrap_or_default();
            stock.retain(|(material, ..)| *material != cut);
            if stock.is_empty() {
                self.size = self.size.saturating_mul(2);
                return if self.size > PAGE_MAX {
                    Err(Error::unexpected(format!("one material has more than {PAGE_MAX} rows of stock")))
                } else {
                    Ok(())
                };
            }
        }
        self.after = stock.last().map(|(material, ..)| material.clone());
        match basis {
            Basis::OnHand => {
                let mut sums = Sums::default();
                for (material, row, at) in stock {
                    match StockRow::read(&row) {
                        Ok(read) if !read.unrestricted => {}
                        Ok(read) => sums.add(&read, place.location(&read.plant), read.quantity, at),
                        Err(error) => {
                            let location = place.location(&row.text("Plant").unwrap_or_default());
                            sums.spoil((material, location), error.message());
                        }
                    }
                }
                self.ready.extend(sums.into_levels());
            }
            Basis::Available => {
                let materials: BTreeSet<String> = stock.into_iter().map(|(material, ..)| material).collect();
                let levels = self.client.available(&self.cx, &place, materials.iter()).await?;
                self.ready.extend(levels.into_iter().map(Ok));
            }
        }
        if !full {
            self.places.pop_front();
            self.after = None;
        }
        Ok(())
    }
}

fn unrestricted() -> Filter {
    Filter::eq("InventoryStockType", "01").and(Filter::eq("InventorySpecialStockType", ""))
}

impl SapClient {
    /// The configured places, or those of them that are asked for.
    fn places(&self, only: &[LocationId]) -> Result<Vec<Place>> {
        let config = &self.config().inventory;
        if config.places.is_empty() && config.basis == Basis::Available {
            return Err(Error::config(
                "inventory.basis = \"available\" needs inventory.places, one for each plant",
            ));
        }
        if config.places.is_empty() && only.is_empty() {
            return Ok(vec![Place(None)]);
        }
        if config.places.is_empty() {
            let place = |id: &LocationId| Place(Some(StockPlace::plant(id.as_str())));
            return Ok(only.iter().map(place).collect());
        }
        for id in only {
            if !config.places.iter().any(|place| place.location() == *id) {
                return Err(Error::config(format!("inventory.places names no {id}")));
            }
        }
        let asked = |place: &&StockPlace| only.is_empty() || only.contains(&place.location());
        Ok(config.places.iter().filter(asked).cloned().map(|place| Place(Some(place))).collect())
    }

    /// Stock on hand of a few materials. One that SAP knows and that lies nowhere is a zero, not a gap.
    async fn on_hand_of(&self, cx: &Context, materials: &BTreeSet<String>) -> Result<Vec<InventoryLevel>> {
        let mut sums = Sums::default();
        for place in self.places(&[])? {
            for filter in Filter::any_of("Material", materials) {
                let filter = place.filter().into_iter().fold(filter.and(unrestricted()), Filter::and);
                let query = Query::new("A_MatlStkInAcctMod").filter(filter).order_by("Material");
                let rows = self.rows(&self.0.stock, cx, self.read_call("sap.inventory_of"), &query).await?;
                for (row, at) in rows {
                    let row = StockRow::read(&row)?;
                    if row.unrestricted {
                        sums.add(&row, place.location(&row.plant), row.quantity, at);
                    }
                }
            }
        }
        for filter in Filter::any_of("Material", materials) {
            let query = Query::new("A_MaterialStock").filter(filter);
            for (row, at) in self.rows(&self.0.stock, cx, self.read_call("sap.inventory_of"), &query).await? {
                let (material, unit) = (row.required("Material")?, row.text("MaterialBaseUnit")?);
                for place in &self.config().inventory.places {
                    let nothing = || Ok((Decimal::ZERO, unit.clone(), at));
                    sums.0.entry((material.clone(), place.location())).or_insert_with(nothing);
                }
            }
        }
        sums.into_levels().collect()
    }

    /// What SAP may promise of these materials in one plant. One that the plant does not check is left out.
    async fn available(
        &self,
        cx: &Context,
        place: &Place,
        materials: impl Iterator<Item = &String> + Send,
    ) -> Result<Vec<InventoryLevel>> {
        const FUNCTION: &str = "DetermineAvailabilityAt";
        let Some(place) = &place.0 else { return Ok(Vec::new()) };
        let config = &self.config().inventory;
        let call = self.read_call("sap.availability");
        let now = self.0.http.clock().now();
        let materials: Vec<&String> = materials.collect();
        let mut levels = Vec::with_capacity(materials.len());
        for chunk in materials.chunks(config.batch) {
            let batch = chunk.iter().fold(Batch::new(), |batch, material| {
                let query = Query::new(FUNCTION)
                    .literal_param("SupplyingPlant", &Literal::string(&place.plant))
                    .literal_param("Material", &Literal::string(material.as_str()))
                    .literal_param("ATPCheckingRule", &Literal::string(&config.checking_rule))
                    .literal_param("RequestedUTCDateTime", &Literal::date_time_offset(now));
                batch.get(&query)
            });
            let answer = self.0.availability.batch(cx, call, &batch).await?;
            if answer.items.len() != chunk.len() {
                return Err(Error::malformed("SAP did not answer every part of a batch"));
            }
            for (item, material) in answer.items.into_iter().zip(chunk) {
                let BatchItem::Get(part) = item else {
                    return Err(Error::transient("SAP stopped in the middle of a batch"));
                };
                let response = part.to_response(answer.started);
                match SapErrors::new(self.0.system.clone()).classify(&call, &response) {
                    None => {}
                    Some(error)
                        if matches!(error.kind(), ErrorKind::Invalid { .. } | ErrorKind::NotFound) =>
                    {
                        tracing::debug!(
                            material = material.as_str(),
                            plant = place.plant,
                            "no availability check"
                        );
                        continue;
                    }
                    Some(error) => return Err(error),
                }
                let raw = envelope::function(FUNCTION, &response.body)?;
                let row: Row = erp_http::json::decode_bytes(call.operation, raw.get().as_bytes())?;
                let found = Availability::read(&row)?;
                let quantity = in_unit(found.quantity, found.unit);
                let level = InventoryLevel::new(
                    material.as_str(),
                    place.location(),
                    quantity,
                    Basis::Available,
                    answer.started,
                );
                levels.push(level);
            }
        }
        Ok(levels)
    }
}
