use super::cut;
use crate::wire::{Body, Record};
use erp_core::error::FieldError;
use erp_core::error::Result;
use erp_core::model::Address;

/// How many characters most of NetSuite's address fields hold.
const FIELD_MAX: usize = 150;

/// An address as NetSuite's subrecord. Its fields are those of the SOAP schema's `Address`, with the country as an ISO code.
pub(crate) fn address_body(address: &Address) -> Body {
    let mut body = Body::new();
    let name = address.full_name();
    let company = address.company.as_deref().map(str::trim).filter(|company| !company.is_empty());
    // With a company the parcel is addressed to it, for the attention of the person.
    match company {
        Some(company) => {
            body.put("addressee", cut(company, FIELD_MAX));
            if !name.is_empty() {
                body.put("attention", cut(&name, FIELD_MAX));
            }
        }
        None => body.put("addressee", cut(&name, FIELD_MAX)),
    }
    for (field, line) in ["addr1", "addr2", "addr3"].into_iter().zip(street(&address.street)) {
        body.put(field, cut(&line, FIELD_MAX));
    }
    body.put("city", cut(address.city.trim(), FIELD_MAX));
    body.put_some("state", filled(address.region.as_deref()));
    body.put_some("zip", filled(address.postcode.as_deref()));
    body.put("country", Body::new().with("id", address.country.as_str()));
    body.put_some("addrPhone", filled(address.phone.as_deref()));
    body
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// What of an address NetSuite's fields do not hold: half a street is another street.
pub(crate) fn too_long(address: &Address, at: &str) -> Vec<FieldError> {
    let lines = street(&address.street);
    let streets = lines.iter().enumerate().map(|(line, text)| (format!("street[{line}]"), text.as_str()));
    let company = address.company.as_deref().unwrap_or_default();
    let name = address.full_name();
    let texts = [("company", company), ("name", name.as_str()), ("city", address.city.as_str())];
    let texts = texts.into_iter().map(|(field, text)| (field.to_owned(), text));
    let long = |(_, text): &(String, &str)| text.trim().chars().count() > FIELD_MAX;
    let told = |(field, text): (String, &str)| {
        let text = format!("has {} characters; NetSuite holds {FIELD_MAX}", text.trim().chars().count());
        FieldError::new(format!("{at}.{field}"), "netsuite.too_long", text)
    };
    streets.chain(texts).filter(long).map(told).collect()
}

/// At most three lines: whatever is more shares the last.
fn street(lines: &[String]) -> Vec<String> {
    let filled: Vec<&str> = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    match filled.as_slice() {
        [one, two, rest @ ..] if rest.len() > 1 => {
            vec![(*one).to_owned(), (*two).to_owned(), rest.join(", ")]
        }
        few => few.iter().map(|&line| line.to_owned()).collect(),
    }
}

/// NetSuite's subrecord as an address.
pub(crate) fn address(record: &Record) -> Result<Address> {
    let country = record.ref_id("country")?.unwrap_or_default();
    let addressee = record.text("addressee")?;
    let attention = record.text("attention")?;
    let (company, person) =
        if attention.is_empty() { (None, addressee) } else { (Some(addressee), attention) };
    let (first, last) = person.rsplit_once(' ').unwrap_or(("", &person));
    let street = ["addr1", "addr2", "addr3"].map(|field| record.text(field));
    let street = street.into_iter().collect::<Result<Vec<_>>>()?;
    let mut address = Address::new(country).with_name(first, last).with_place(
        street.into_iter().filter(|line| !line.is_empty()).collect(),
        record.text("city")?,
        record.text("zip")?,
    );
    address.company = company;
    address.region = record.filled("state")?;
    address.phone = record.filled("addrPhone")?;
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_as_it_went() {
        let mut sample = Address::new("DE").with_name("Ada Marie", "Lovelace").with_place(
            vec!["Hall 4".to_owned(), "Main Street 1".to_owned()],
            "Berlin",
            "10115",
        );
        for company in [None, Some("Retail GmbH".to_owned())] {
            sample.company = company;
            let json = address_body(&sample).to_json().unwrap();
            let record: Record = serde_json::from_slice(&json).unwrap();
            assert_eq!(address(&record).unwrap(), sample);
        }
    }

    #[test]
    fn no_line_of_a_street_is_lost() {
        let lines = ["a", " ", "b", "c", "d"].map(str::to_owned);
        assert_eq!(street(&lines), ["a", "b", "c, d"]);
    }
}
