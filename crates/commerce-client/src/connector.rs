//! What the shop is, what it can do, and its doors.

use crate::client::CommerceClient;
use async_trait::async_trait;
use erp_core::capability::{Capabilities, DeltaKind, Idempotency, SinkCapability, SourceCapability};
use erp_core::connector::{Connector, Finding, Identity, Need};
use erp_core::context::Context;
use erp_core::roles::{
    CustomerStore, FulfillmentSink, InventorySink, InventorySource, InvoiceSink, OrderSource, PriceSink,
    RefundSource,
};
use std::sync::Arc;

#[async_trait]
impl Connector for CommerceClient {
    fn identity(&self) -> Identity {
        let url = self.base_url();
        Identity {
            system: self.system().clone(),
            kind: "commerce".to_owned(),
            environment: self.config().environment,
            fingerprint: format!(
                "{}{}",
                url.origin().ascii_serialization(),
                url.path().trim_end_matches('/')
            ),
        }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        let page = self.config().page_size;
        capabilities.order_source = Some(SourceCapability::new(DeltaKind::ModifiedSince, true, page));
        capabilities.inventory_source = Some(SourceCapability::new(DeltaKind::FullScan, false, page));
        let horizon = self.config().write_horizon();
        let stock =
            SinkCapability::new(Idempotency::ResendSafe, horizon).with_bulk(crate::inventory::CHUNK, 1);
        capabilities.inventory_sink = Some(stock);
        // The catalogue deadlocks under parallel writers, so one call at a time.
        let prices =
            SinkCapability::new(Idempotency::ResendSafe, horizon).with_bulk(crate::inventory::CHUNK, 1);
        capabilities.price_sink = Some(prices);
        let customers = SinkCapability::new(Idempotency::LookupThenCreate, horizon).with_revise();
        capabilities.customer_store = Some(customers);
        capabilities.fulfillment_sink = Some(SinkCapability::new(Idempotency::LookupThenCreate, horizon));
        capabilities.invoice_sink = Some(SinkCapability::new(Idempotency::LookupThenCreate, horizon));
        capabilities.refund_source = Some(SourceCapability::new(DeltaKind::ModifiedSince, true, page));
        capabilities
    }

    async fn probe(&self, cx: &Context, needs: &[Need]) -> Vec<Finding> {
        self.doctor(cx, needs).await
    }

    fn order_source(&self) -> Option<Arc<dyn OrderSource>> {
        Some(Arc::new(self.clone()))
    }

    fn inventory_source(&self) -> Option<Arc<dyn InventorySource>> {
        Some(Arc::new(self.clone()))
    }

    fn inventory_sink(&self) -> Option<Arc<dyn InventorySink>> {
        Some(Arc::new(self.clone()))
    }

    fn price_sink(&self) -> Option<Arc<dyn PriceSink>> {
        Some(Arc::new(self.clone()))
    }

    fn customer_store(&self) -> Option<Arc<dyn CustomerStore>> {
        Some(Arc::new(self.clone()))
    }

    fn invoice_sink(&self) -> Option<Arc<dyn InvoiceSink>> {
        Some(Arc::new(self.clone()))
    }

    fn refund_source(&self) -> Option<Arc<dyn RefundSource>> {
        Some(Arc::new(self.clone()))
    }

    fn fulfillment_sink(&self) -> Option<Arc<dyn FulfillmentSink>> {
        Some(Arc::new(self.clone()))
    }
}
