//! Adobe Commerce (Magento 2) for the roles of erp-core.
