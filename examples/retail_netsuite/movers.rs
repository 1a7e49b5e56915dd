//! The people with the forklifts: they take in what a supplier brings, and fill one hall out of another.

use crate::seed::{BOUGHT, PLACES, PURCHASE};
use crate::wms::{Shelf, Wms};
use erp_core::Decimal;
use erp_core::id::{Key, NativeId, Sku};
use erp_core::model::{MovementLine, ReceiptOf, StockMovement};
use erp_core::time::Timestamp;
use sdk_examples::stage::Trouble;

/// Takes in a lorry with half of what was bought.
pub(crate) fn take_in(now: Timestamp, wms: &Wms, lorry: u8) -> Result<String, Trouble> {
    let mut halls = wms.halls();
    let number = format!("D{lorry}");
    let lines = BOUGHT.map(|(sku, pieces, _)| MovementLine::new(sku, Decimal::from(pieces / 2)));
    let pieces: Decimal = lines.iter().map(|line| line.quantity).sum();
    let of = (ReceiptOf::PurchaseOrder, NativeId::new(PURCHASE.to_string()));
    let came = StockMovement::receipt(Key::from(format!("wms:{number}")), &number, of, PLACES[0].1, now);
    halls.move_goods(came.with_lines(lines.to_vec()))?;
    Ok(format!("{number}: {pieces} pieces came in for purchase order {PURCHASE}"))
}

/// Carries pieces from one hall to another, as many as there are; nothing, if there are none.
pub(crate) fn carry(
    now: Timestamp,
    wms: &Wms,
    (from, to): (Shelf, &str),
    pieces: Decimal,
) -> Result<Option<String>, Trouble> {
    let mut halls = wms.halls();
    let pieces = pieces.min(halls.shelves.get(&from).copied().unwrap_or_default());
    if pieces <= Decimal::ZERO {
        return Ok(None);
    }
    let number = format!("M{}", halls.movements.len() + 1);
    let (sku, from): (Sku, _) = from;
    let text = format!("{number}: {pieces} of {sku} go from {from} to {to}");
    let moved = StockMovement::transfer(Key::from(format!("wms:{number}")), &number, (from, to), now);
    halls.move_goods(moved.with_lines(vec![MovementLine::new(sku, pieces)]))?;
    Ok(Some(text))
}
