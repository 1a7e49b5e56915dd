//! Ledger, flows, reconciliation and tie-out over erp-core alone.
