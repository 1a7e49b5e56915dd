//! The server's own time, as its `Date` header tells it.

use erp_core::time::Timestamp;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads `Mon, 23 Nov 2026 21:36:15 GMT`.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    let (_, rest) = text.split_once(", ")?;
    let mut words = rest.split_whitespace();
    let day: u8 = words.next()?.parse().ok()?;
    let name = words.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? + 1;
    let year: u16 = words.next()?.parse().ok()?;
    let time = words.next()?;
    let zone = words.next()?;
    (zone == "GMT").then(|| Timestamp::parse_utc(&format!("{year:04}-{month:02}-{day:02} {time}")).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_web_servers_write() {
        let at = http_date("Mon, 23 Nov 2026 21:36:15 GMT").unwrap();
        assert_eq!(at.to_string(), "2026-11-23T21:36:15Z");
        for bad in ["", "yesterday", "Mon, 23 Nov 2026 21:36:15 CET", "Mon, 99 Nov 2026 21:36:15 GMT"] {
            assert_eq!(http_date(bad), None, "{bad}");
        }
    }
}
