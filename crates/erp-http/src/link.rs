//! Links that come in answers: no credential follows them anywhere.

use erp_core::error::{Error, Result};
use url::{Host, Origin, Url};

/// Whether a URL stays on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Whether credentials may be sent there: https, or plain http to loopback.
pub(crate) fn is_private(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

/// Puts `link`, read relative to `from`, onto `base`. `aliases` are other origins under which the system writes its links.
pub(crate) fn rebase(base: &Url, aliases: &[Origin], from: &Url, link: &str) -> Result<Url> {
    if link.contains(|c: char| c == '\\' || c.is_control()) {
        return Err(refused("holds a character that no link holds"));
    }
    let linked = from.join(link.trim()).map_err(|_| refused("cannot be read"))?;
    if !linked.username().is_empty() || linked.password().is_some() {
        return Err(refused("holds credentials"));
    }
    if !is_home(base, &linked) && !aliases.contains(&linked.origin()) {
        return Err(refused("points to another host, port or scheme"));
    }
    let mut rebased = base.clone();
    rebased.set_path(linked.path());
    rebased.set_query(linked.query());
    rebased.set_fragment(None);
    Ok(rebased)
}

/// Same host and port. A proxy that ends TLS makes the system behind it write `http` for its own `https` address, so on
/// default ports the scheme may differ that way; on loopback the machine's names are one.
fn is_home(base: &Url, linked: &Url) -> bool {
    let same_host = linked.host_str() == base.host_str() || (is_loopback(linked) && is_loopback(base));
    let same_scheme = linked.scheme() == base.scheme();
    let behind_proxy = (base.scheme(), linked.scheme()) == ("https", "http")
        && base.port().is_none()
        && linked.port().is_none();
    same_host && (behind_proxy || (same_scheme && linked.port() == base.port()))
}

fn refused(why: &str) -> Error {
    Error::malformed(format!("a link in the answer {why}; it is not followed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn base() -> Url {
        url("https://sap.example.test/odata/SVC/")
    }

    fn rebased(link: &str) -> Result<String> {
        rebase(&base(), &[], &base(), link).map(String::from)
    }

    #[test]
    fn links_home_keep_path_and_query() {
        for (link, want) in [
            ("Orders?$skiptoken=5", "https://sap.example.test/odata/SVC/Orders?$skiptoken=5"),
            ("/other/path?a=%2F", "https://sap.example.test/other/path?a=%2F"),
            ("https://sap.example.test:443/x", "https://sap.example.test/x"),
            ("HTTPS://SAP.example.TEST/x#part", "https://sap.example.test/x"),
            ("http://sap.example.test/x?y", "https://sap.example.test/x?y"),
            ("//sap.example.test/x", "https://sap.example.test/x"),
            ("?$skip=1", "https://sap.example.test/odata/SVC/?$skip=1"),
        ] {
            assert_eq!(rebased(link).unwrap(), want, "{link}");
        }
    }

    #[test]
    fn links_elsewhere_are_refused_and_not_repeated_in_the_text() {
        for link in [
            "https://evil.test/x",
            "//evil.test/x",
            "https://sap.example.test.evil.test/x",
            "https://evil.test@sap.example.test/x",
            "https://user:pass@sap.example.test/x",
            "https://sap.example.test@evil.test/x",
            "https://sap.example.test:8443/x",
            "http://sap.example.test:8000/x",
            "ftp://sap.example.test/x",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/plain,x",
            "\\\\evil.test\\x",
            "/\\evil.test/x",
            "https:\\\\evil.test/x",
            "/\tx",
            "ht\ntps://evil.test",
            "https://[::1",
            "http://127.0.0.1/x",
        ] {
            let error = rebased(link).unwrap_err();
            assert_eq!(error.code(), "erp.malformed", "{link:?}");
            assert!(!error.to_string().contains("evil") && !error.to_string().contains("pass"), "{error}");
        }
    }

    #[test]
    fn a_downgrade_of_the_base_is_no_proxy() {
        let base = url("http://127.0.0.1:8080/");
        assert!(rebase(&base, &[], &base, "https://127.0.0.1:8080/x").is_err());
    }

    #[test]
    fn loopback_has_many_names_but_ports_are_different_systems() {
        let base = url("http://127.0.0.1:4004/");
        let of = |link| rebase(&base, &[], &base, link).map(String::from);
        assert_eq!(of("http://localhost:4004/a?b").unwrap(), "http://127.0.0.1:4004/a?b");
        assert_eq!(of("http://[::1]:4004/a").unwrap(), "http://127.0.0.1:4004/a");
        assert!(of("http://localhost:4005/a").is_err());
        assert!(of("http://10.0.0.1:4004/a").is_err());
    }

    #[test]
    fn an_alias_is_home_too() {
        let aliases = [url("https://internal:44300/").origin()];
        let link = "https://internal:44300/odata/SVC/Orders?$skiptoken=5";
        let rebased = rebase(&base(), &aliases, &base(), link).unwrap();
        assert_eq!(rebased.as_str(), "https://sap.example.test/odata/SVC/Orders?$skiptoken=5");
        assert!(super::rebase(&base(), &aliases, &base(), "https://internal:44301/x").is_err());
    }

    #[test]
    fn a_relative_link_counts_from_the_request() {
        let from = url("https://sap.example.test/odata/V4/Items?$top=5");
        let rebased = rebase(&base(), &[], &from, "Items?$skiptoken=5").unwrap();
        assert_eq!(rebased.path(), "/odata/V4/Items");
    }

    #[test]
    fn private_means_tls_or_this_machine() {
        for (text, want) in [
            ("https://a.test/", true),
            ("http://a.test/", false),
            ("http://localhost:1/", true),
            ("http://127.8.8.8/", true),
            ("http://[::1]/", true),
            ("http://localhost.evil.test/", false),
            ("ftp://localhost/", false),
        ] {
            assert_eq!(is_private(&url(text)), want, "{text}");
        }
    }
}
