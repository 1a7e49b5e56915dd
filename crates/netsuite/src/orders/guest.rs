//! Whose order it is.

use crate::client::NetsuiteClient;
use crate::config::GuestPolicy;
use crate::wire::RecordRef;
use erp_core::context::Context;
use erp_core::digest::Digest;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::id::{Key, NativeId};
use erp_core::model::{Buyer, Customer, CustomerKind, Order, OrderSubmission};

impl NetsuiteClient {
    /// The customer that is known without asking NetSuite: the one that a customer flow linked, the route's, the company's
    /// or the buyer's own number. `None` if one must be found or made.
    pub(super) fn known_entity(&self, submission: &OrderSubmission) -> Result<Option<String>> {
        let order = &submission.order;
        let registered = match &order.buyer {
            Buyer::Registered { external_id, .. } => external_id.as_deref(),
            Buyer::Guest { .. } => None,
        };
        let company = order.company.as_ref();
        let number = submission
            .customer
            .as_ref()
            .map(NativeId::as_str)
            .or_else(|| company.and_then(|company| company.external_id.as_deref()))
            .or(registered)
            .map(str::trim)
            .filter(|number| !number.is_empty());
        if let Some(number) = number {
            return if number.bytes().all(|b| b.is_ascii_digit()) {
                Ok(Some(number.to_owned()))
            } else {
                let text = "the customer's number in NetSuite must be an internal id";
                Err(Error::invalid("buyer", "netsuite.customer_not_an_id", text))
            };
        }
        if company.is_some() {
            let text = "the company has no customer in NetSuite; link it, or write the internal id onto the company in the shop";
            return Err(Error::invalid("company", "netsuite.company_unknown", text));
        }
        if let Some(customer) = submission.route.get("customer") {
            return Ok(Some(customer.to_owned()));
        }
        let orders = &self.config().orders;
        Ok(orders.guest_customer.clone().filter(|_| orders.guests == GuestPolicy::Shared))
    }

    pub(super) async fn entity_of(&self, cx: &Context, submission: &OrderSubmission) -> Result<String> {
        match self.known_entity(submission)? {
            Some(known) => Ok(known),
            None => self.guest(cx, submission).await,
        }
    }

    /// The customer of a guest: matched by e-mail if that is the policy, else the one whose external id is made of e-mail
    /// and website, else created under it. NetSuite keeps external ids unique, so two orders at once make one customer.
    async fn guest(&self, cx: &Context, submission: &OrderSubmission) -> Result<String> {
        let order = &submission.order;
        let email = order.buyer.email().trim().to_lowercase();
        if email.is_empty() {
            let text = "a guest's order needs an e-mail";
            return Err(Error::invalid("buyer.email", "netsuite.guest_without_email", text));
        }
        if self.config().orders.guests == GuestPolicy::MatchThenCreate {
            let found = self.customers_by_email(cx, &email).await?;
            match found.as_slice() {
                [] => {}
                [id] => return Ok(id.clone()),
                _ => {
                    let text = "several customers in NetSuite have the buyer's e-mail; link the right one";
                    return Err(Error::invalid("buyer", "netsuite.email_ambiguous", text));
                }
            }
        }
        let external = guest_id(&email, &order.channel.website);
        if let Some((held, _)) = self.record(cx, "customer", &RecordRef::external(&external)).await? {
            return held.required("id");
        }
        let customer = customer_of(order, &email, &external);
        match self.create_customer(cx, &customer, &external).await {
            Ok(id) => Ok(id),
            Err(error) if *error.kind() == ErrorKind::Conflict => {
                let held = self.record(cx, "customer", &RecordRef::external(&external)).await?;
                let Some((held, _)) = held else { return Err(error) };
                held.required("id")
            }
            // Whether the customer was made is not known: the order waits for the horizon, and the customer is found.
            Err(error) if error.effect() == Effect::None => Err(error),
            Err(error) => Err(error.with_effect(Effect::Unknown)),
        }
    }
}

/// The external id of a guest's customer: the same for one e-mail on one website, and no one's name.
fn guest_id(email: &str, website: &str) -> String {
    format!("guest-{}", Digest::of(&(email, website))).to_lowercase()
}

fn customer_of(order: &Order, email: &str, external: &str) -> Customer {
    let kind = if order.billing.company.is_some() { CustomerKind::Company } else { CustomerKind::Person };
    let mut customer = Customer::new(Key::new(external), kind, email)
        .with_name(order.billing.first_name.clone(), order.billing.last_name.clone())
        .with_addresses(vec![order.billing.clone()]);
    if let (CustomerKind::Company, Some(company)) = (kind, &order.billing.company) {
        customer.last_name.clone_from(company);
        customer.first_name.clear();
    }
    customer.scope.clone_from(&order.channel.website);
    customer.tax_id.clone_from(&order.billing.vat_id);
    customer
}
