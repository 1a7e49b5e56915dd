//! SAP S/4HANA over OData for the roles of erp-core.
