//! Movements of stock in the reference ERP: what it waits for, and what it has booked.

use super::erp::{ErpState, ReferenceErp};
use async_trait::async_trait;
use erp_core::error::FieldError;
use erp_core::model::{MovementRoute, ReceiptOf, StockMovement};
use erp_core::outcome::Outcomes;
use erp_core::prelude::*;

/// A document that waits for goods.
#[derive(Debug, Clone)]
pub(super) struct Awaited {
    of: ReceiptOf,
    lines: Vec<AwaitedLine>,
}

#[derive(Debug, Clone)]
struct AwaitedLine {
    name: String,
    sku: Sku,
    open: Decimal,
}

impl Awaited {
    /// Takes so much off what is open of a line, or says why not.
    fn take(&mut self, line: &erp_core::model::MovementLine) -> Result<(), (&'static str, String)> {
        let meant = |known: &&mut AwaitedLine| match &line.native_line {
            Some(name) => known.name == *name && known.sku == line.sku,
            None => known.sku == line.sku,
        };
        let Some(known) = self.lines.iter_mut().find(meant) else {
            return Err(("movement.line", format!("no line of the document awaits {}", line.sku)));
        };
        if line.quantity > known.open {
            return Err(("movement.over", format!("{} came in, {} are awaited", line.quantity, known.open)));
        }
        known.open -= line.quantity;
        Ok(())
    }
}

fn receipt(index: usize, at: Timestamp) -> Receipt {
    let number = format!("7{:09}", index + 1);
    Receipt::new(NativeId::from(number.as_str()), number, at)
}

impl ErpState {
    /// The ERP's own create. It keeps no key unique.
    fn book_movement(&mut self, item: &StockMovement, at: Timestamp) -> Result<Receipt> {
        item.check()?;
        let mut refused = Vec::new();
        let places = self.stock.keys().map(|(_, place)| place.clone()).collect::<Vec<_>>();
        for (sku, place, _) in item.changes() {
            if !self.knows(sku) {
                refused.push(FieldError::new("sku", "sku.unknown", format!("{sku} is no product here")));
            }
            if !places.contains(place) {
                let text = format!("{place} is no place here");
                refused.push(FieldError::new("route", "location.unknown", text));
            }
        }
        let mut received = None;
        if let MovementRoute::Receipt { of, document, .. } = &item.route {
            let known = self.awaited.get(document).filter(|known| known.of == *of);
            let mut awaited = known.cloned().ok_or_else(|| {
                let text = format!("there is no document {document} that awaits goods");
                Error::invalid("route.document", "movement.document_unknown", text)
            })?;
            for (index, line) in item.lines.iter().enumerate() {
                if let Err((code, text)) = awaited.take(line) {
                    refused.push(FieldError::new(format!("lines[{index}].quantity"), code, text));
                }
            }
            received = Some((document.clone(), awaited));
        }
        if !refused.is_empty() {
            return Err(Error::invalid_fields("the movement is refused", refused));
        }
        self.awaited.extend(received);
        for (sku, place, change) in item.changes() {
            *self.stock.entry((sku.clone(), place.clone())).or_default() += change;
        }
        self.movements.push(item.clone());
        Ok(receipt(self.movements.len() - 1, at))
    }
}

impl ReferenceErp {
    /// Somebody orders goods from a supplier, or takes down that a buyer will send them back: a document with the lines
    /// `10`, `20`, … that waits for them.
    pub fn await_goods(&self, of: ReceiptOf, goods: &[(Sku, Decimal)]) -> NativeId {
        let line = |(index, (sku, quantity)): (usize, &(Sku, Decimal))| AwaitedLine {
            name: ((index + 1) * 10).to_string(),
            sku: sku.clone(),
            open: *quantity,
        };
        let lines = goods.iter().enumerate().map(line).collect();
        self.system.look(|erp, _| {
            let document = NativeId::from(format!("4{:09}", erp.awaited.len() + 1));
            erp.awaited.insert(document.clone(), Awaited { of, lines });
            document
        })
    }

    /// All movements of stock that were booked, in order.
    pub fn movements(&self) -> Vec<StockMovement> {
        self.system.look(|erp, _| erp.movements.clone())
    }

    async fn move_stock(&self, cx: &Context, item: &StockMovement) -> Result<Receipt> {
        match self.find_movement(cx, item).await? {
            Found::Absent => {
                let (key, item) = (item.key.clone(), item.clone());
                let write = self.system.write(cx, "movements.create", Some(key), move |erp, moment| {
                    erp.book_movement(&item, moment.at)
                });
                write.await
            }
            Found::Partial(receipt) | Found::Whole(receipt) => Ok(receipt),
            Found::Several(_) => Err(Error::new(ErrorKind::Conflict, "several movements under one key")),
        }
    }
}

#[async_trait]
impl MovementSink for ReferenceErp {
    async fn submit_movements(&self, cx: &Context, items: &[StockMovement]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(items.len());
        for item in items {
            outcomes.push(self.move_stock(cx, item).await);
        }
        outcomes.into_vec()
    }

    async fn find_movement(&self, cx: &Context, movement: &StockMovement) -> Result<Found> {
        let wanted = movement.key.clone();
        let read = self.system.read(cx, "movements.find", Some(wanted.clone()), move |erp, moment| {
            let held = erp.movements.iter().enumerate().filter(|(_, held)| held.key == wanted);
            Ok(held.map(|(index, _)| receipt(index, moment.at)).collect::<Vec<_>>())
        });
        let mut receipts = read.await?;
        Ok(match receipts.len() {
            0 => Found::Absent,
            1 => Found::Whole(receipts.remove(0)),
            _ => Found::Several(receipts),
        })
    }
}
