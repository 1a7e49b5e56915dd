//! Store views and websites: which channel and zone an order belongs to. Read once an hour.

use crate::client::CommerceClient;
use crate::wire::store::{StoreConfig, Website};
use erp_core::context::Context;
use erp_core::error::{Error, Result};
use erp_core::model::Channel;
use erp_core::money::Currency;
use erp_core::time::Zone;
use erp_http::{Call, json};
use http::Method;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long the directory is good, and how soon an unknown store may ask for it anew.
const GOOD_FOR: Duration = Duration::from_secs(60 * 60);
const OP: &str = "commerce.read_stores";
const ASK_AGAIN: Duration = Duration::from_secs(5 * 60);

/// The shop's stores.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    channels: BTreeMap<i64, Channel>,
    websites: BTreeMap<i64, String>,
    base_currencies: BTreeSet<String>,
}

impl Directory {
    /// Joins what the two calls answered.
    ///
    /// # Errors
    /// `Malformed` if a store names a zone that does not exist.
    pub fn new(stores: &[StoreConfig], websites: &[Website]) -> Result<Self> {
        let websites: BTreeMap<i64, String> =
            websites.iter().filter_map(|site| Some((site.id?, site.code.clone()?))).collect();
        let mut channels = BTreeMap::new();
        for store in stores {
            let (Some(id), Some(code)) = (store.id, store.code.as_deref()) else { continue };
            let zone = Zone::named(store.timezone.as_deref().unwrap_or("UTC"))
                .map_err(|_| Error::malformed(format!("the time zone of store {code} is not known")))?;
            let website = store.website_id.and_then(|id| websites.get(&id)).cloned().unwrap_or_default();
            channels.insert(id, Channel::new(website, code, zone));
        }
        let base_currencies = stores.iter().filter_map(|store| store.base_currency_code.clone()).collect();
        Ok(Self { channels, websites, base_currencies })
    }

    /// The channel of a store view's id.
    pub fn channel(&self, store: i64) -> Option<&Channel> {
        self.channels.get(&store)
    }

    /// The id of a store view's code.
    pub fn store_id(&self, code: &str) -> Option<i64> {
        self.channels.iter().find(|(_, channel)| channel.store == code).map(|(id, _)| *id)
    }

    /// The codes of all store views, with their zones.
    pub fn stores(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values()
    }

    /// The code of a website's id.
    pub fn website(&self, id: i64) -> Option<&str> {
        self.websites.get(&id).map(String::as_str)
    }

    /// The websites that sell, by id and code; the admin's own is none of them.
    pub fn websites(&self) -> impl Iterator<Item = (i64, &str)> {
        self.websites.iter().filter(|(id, _)| **id > 0).map(|(id, code)| (*id, code.as_str()))
    }

    /// The one base currency of all stores, in which prices are kept.
    ///
    /// # Errors
    /// `Unsupported` if websites have different ones: a price for all of them would mean something else in each.
    pub fn base_currency(&self) -> Result<Currency> {
        let mut codes = self.base_currencies.iter();
        match (codes.next(), codes.next()) {
            (Some(code), None) => Currency::new(code)
                .map_err(|_| Error::malformed(format!("the shop's base currency {code:?} is no currency"))),
            (None, _) => Err(Error::malformed("the shop does not tell its base currency")),
            _ => {
                let all: Vec<&str> = self.base_currencies.iter().map(String::as_str).collect();
                Err(Error::unsupported(format!(
                    "the websites have different base currencies ({}), and prices go to all of them alike",
                    all.join(", ")
                )))
            }
        }
    }

    /// The id of a website's code.
    pub fn website_id(&self, code: &str) -> Option<i64> {
        self.websites.iter().find(|(_, known)| known.as_str() == code).map(|(id, _)| *id)
    }
}

impl CommerceClient {
    /// The shop's stores, at most an hour old.
    ///
    /// # Errors
    /// `Permission` if `Magento_Backend::store` is not granted; whatever else keeps the shop from answering.
    pub async fn stores(&self, cx: &Context) -> Result<Arc<Directory>> {
        self.stores_read_since(cx, GOOD_FOR).await
    }

    /// The channel of a store view. A store that was made since the last read is asked for; one that was deleted has no
    /// id on its orders any more, and its channel is empty, so that no route fits by accident.
    pub(crate) async fn channel(&self, cx: &Context, store: Option<i64>) -> Result<Channel> {
        let nowhere = || Channel::new("", "", Zone::UTC);
        let Some(id) = store else { return Ok(nowhere()) };
        if let Some(channel) = self.stores(cx).await?.channel(id) {
            return Ok(channel.clone());
        }
        let fresh = self.stores_read_since(cx, ASK_AGAIN).await?;
        Ok(fresh.channel(id).cloned().unwrap_or_else(nowhere))
    }

    async fn stores_read_since(&self, cx: &Context, age: Duration) -> Result<Arc<Directory>> {
        let mut cached = self.caches().stores.lock().await;
        let now = self.clock().now();
        if let Some((read, directory)) = cached.as_ref()
            && now.since(*read) < age
        {
            return Ok(Arc::clone(directory));
        }
        let call = Call::read(OP);
        let stores = self.send(cx, call, Method::GET, "store/storeConfigs", "", None).await?;
        let websites = self.send(cx, call, Method::GET, "store/websites", "", None).await?;
        let stores: Vec<StoreConfig> = json::decode(OP, &stores)?;
        let websites: Vec<Website> = json::decode(OP, &websites)?;
        let directory = Arc::new(Directory::new(&stores, &websites).map_err(|e| e.with_operation(OP))?);
        *cached = Some((now, Arc::clone(&directory)));
        Ok(directory)
    }
}
