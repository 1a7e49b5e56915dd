//! Websites, store views, their configuration, and the list of modules.

use super::Call;
use crate::php::bit;
use serde_json::{Value, json};

pub(super) fn views(call: &Call<'_>) -> Value {
    call.read(|shop| {
        let admin = json!({
            "id": 0,
            "code": "admin",
            "name": "Admin",
            "website_id": 0,
            "store_group_id": 0,
            "is_active": 1,
        });
        let views = shop.stores.iter().map(|store| {
            json!({
                "id": store.id,
                "code": store.code,
                "name": store.name,
                "website_id": store.website_id,
                "store_group_id": store.website_id,
                "is_active": bit(true),
            })
        });
        std::iter::once(admin).chain(views).collect()
    })
}

pub(super) fn websites(call: &Call<'_>) -> Value {
    call.read(|shop| {
        let admin = json!({ "id": 0, "code": "admin", "name": "Admin", "default_group_id": 0 });
        let rest = shop.websites.iter().map(|website| {
            json!({ "id": website.id, "code": website.code, "name": website.name, "default_group_id": website.id })
        });
        std::iter::once(admin).chain(rest).collect()
    })
}

pub(super) fn configs(call: &Call<'_>) -> Value {
    let asked: Vec<&str> = call
        .query
        .iter()
        .filter(|(name, _)| name.starts_with("storeCodes"))
        .map(|(_, code)| code.as_str())
        .collect();
    call.read(|shop| {
        shop.stores
            .iter()
            .filter(|store| asked.is_empty() || asked.contains(&store.code.as_str()))
            .map(|store| {
                let host = call.exchange.header("host").unwrap_or("localhost");
                json!({
                    "id": store.id,
                    "code": store.code,
                    "website_id": store.website_id,
                    "locale": "en_US",
                    "base_currency_code": store.base_currency,
                    "default_display_currency_code": store.currency,
                    "timezone": store.timezone,
                    "weight_unit": "lbs",
                    "base_url": format!("http://{host}/"),
                    "base_link_url": format!("http://{host}/"),
                    "secure_base_url": format!("http://{host}/"),
                })
            })
            .collect()
    })
}

pub(super) fn modules() -> Value {
    [
        "Magento_Store",
        "Magento_Backend",
        "Magento_Catalog",
        "Magento_Customer",
        "Magento_Sales",
        "Magento_Webapi",
        "Magento_Inventory",
        "Magento_InventoryApi",
        "Magento_InventorySalesApi",
        "Magento_InventoryShipping",
        "Magento_Company",
        "Magento_SharedCatalog",
    ]
    .into_iter()
    .collect()
}
