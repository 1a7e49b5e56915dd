use crate::place::{NewLine, NewOrder, Pay};
use crate::world::{Refused, ShopWorld};
use erp_core::Decimal;

/// Orders that no mapping may swallow in silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Broken {
    /// The total is a dollar more than its parts.
    TotalOff,
    /// A company's order whose account the ERP does not know.
    UnknownAccount,
    /// In a customer group, and with a company, that nobody has heard of.
    UnknownSegment,
    /// A SKU that neither the catalogue nor the ERP knows.
    UnknownSku,
    /// A line with a quantity below zero.
    NegativeQuantity,
    /// Ten thousand lines.
    TenThousandLines,
    /// Letters of four bytes in names and streets.
    FourByteLetters,
    /// No lines at all.
    NoLines,
    /// A currency that is none.
    UnknownCurrency,
    /// A total segment that only an extension of this shop knows: the total is more than the parts that it tells.
    UnknownTotal,
}

impl Broken {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::TotalOff,
        Self::UnknownAccount,
        Self::UnknownSegment,
        Self::UnknownSku,
        Self::NegativeQuantity,
        Self::TenThousandLines,
        Self::FourByteLetters,
        Self::NoLines,
        Self::UnknownCurrency,
        Self::UnknownTotal,
    ];

    /// Its name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TotalOff => "total-off",
            Self::UnknownAccount => "unknown-account",
            Self::UnknownSegment => "unknown-segment",
            Self::UnknownSku => "unknown-sku",
            Self::NegativeQuantity => "negative-quantity",
            Self::TenThousandLines => "ten-thousand-lines",
            Self::FourByteLetters => "four-byte-letters",
            Self::NoLines => "no-lines",
            Self::UnknownCurrency => "unknown-currency",
            Self::UnknownTotal => "unknown-total",
        }
    }

    /// Places one in the sample shop. Returns its id.
    ///
    /// # Errors
    /// If the shop is not the sample shop.
    pub fn place(self, world: &ShopWorld) -> Result<i64, Refused> {
        // Oregon has no sales tax, so that nothing else is wrong with them.
        let guest = |lines| {
            let mut order = NewOrder::new("default", "broken@example.test", lines);
            for address in [&mut order.billing, &mut order.shipping] {
                address.region = Some("Oregon".to_owned());
                address.region_code = Some("OR".to_owned());
                (address.region_id, address.postcode) = (Some(49), Some("97201".to_owned()));
                "Portland".clone_into(&mut address.city);
            }
            order
        };
        let bag = || NewLine::new("24-MB01", Decimal::ONE);
        let on_account = || {
            let order = NewOrder::new(
                "wholesale",
                "buyer1@company.example.test",
                vec![NewLine::new("24-MB01", Decimal::from(12))],
            );
            order.with_customer(1).with_payment("companycredit", Pay::Offline).with_po_number("PO-BROKEN")
        };
        match self {
            Self::TotalOff => {
                let id = world.place_order(guest(vec![bag()]))?;
                world.skew_cents(id, 100)?;
                Ok(id)
            }
            Self::UnknownAccount => {
                let id = world.place_order(on_account())?;
                world.tamper(id, |order| order.ext_customer_id = Some("0099999999".to_owned()))?;
                Ok(id)
            }
            Self::UnknownSegment => {
                let id = world.place_order(on_account())?;
                world.tamper(id, |order| {
                    order.group_id = 9999;
                    order.company = Some((9999, "Nobody Knows Ltd".to_owned()));
                    order.ext_customer_id = None;
                })?;
                Ok(id)
            }
            Self::UnknownSku => {
                let line = NewLine::new("NO-SUCH-SKU", Decimal::ONE).with_price(Decimal::TEN);
                world.place_order(guest(vec![bag(), line]))
            }
            Self::NegativeQuantity => {
                let id = world.place_order(guest(vec![bag(), NewLine::new("24-MB02", Decimal::ONE)]))?;
                world.tamper(id, |order| {
                    if let Some(row) = order.items.last_mut() {
                        row.qty_ordered = Decimal::NEGATIVE_ONE;
                    }
                })?;
                Ok(id)
            }
            Self::NoLines => {
                let id = world.place_order(guest(vec![bag()]))?;
                world.tamper(id, |order| order.items.clear())?;
                Ok(id)
            }
            Self::UnknownCurrency => {
                let id = world.place_order(guest(vec![bag()]))?;
                world.tamper(id, |order| "Taler".clone_into(&mut order.currency.1))?;
                Ok(id)
            }
            Self::UnknownTotal => {
                let id = world.place_order(guest(vec![bag()]))?;
                let fee = erp_core::money::Dual::same(Decimal::TWO);
                world.tamper(id, |order| order.sums.grand_total = order.sums.grand_total + fee)?;
                Ok(id)
            }
            Self::TenThousandLines => world.place_order(guest((0..10_000).map(|_| bag()).collect())),
            Self::FourByteLetters => {
                let mut order = guest(vec![bag()]);
                for address in [&mut order.billing, &mut order.shipping] {
                    "𝔄𝔡𝔞 🦊".clone_into(&mut address.firstname);
                    "𠮷田".clone_into(&mut address.lastname);
                    address.street = vec!["1 🏠 Street".to_owned(), "𝟜th floor".to_owned()];
                }
                world.place_order(order)
            }
        }
    }
}
