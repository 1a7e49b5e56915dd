//! OData V2 and V4 over erp-http. Knows neither SAP nor Microsoft.
