//! Addresses of sinks: what is wrong with one, and how it is told without a secret.

use ureq::http::Uri;

/// An address for a message: who may use it, if it says so, is left out.
pub fn masked(url: &str) -> String {
    let (scheme, rest) = url.split_once("//").map_or(("", url), |(scheme, rest)| (scheme, rest));
    match rest.rsplit_once('@') {
        // An `@` behind the host hides more than it must, and never less.
        Some((_, behind)) if scheme.is_empty() => format!("***@{behind}"),
        Some((_, behind)) => format!("{scheme}//***@{behind}"),
        None => url.to_owned(),
    }
}

/// What is wrong with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlFault {
    /// It is none that a request can be sent to.
    #[error("expected http:// or https:// and a host")]
    Form,
    /// It says who may use it, and would be told in logs.
    #[error("names and passwords do not belong here")]
    Credentials,
}

/// What is wrong with an address, if anything is.
pub fn url_fault(url: &str) -> Option<UrlFault> {
    let uri = url.parse::<Uri>().ok();
    let authority = uri.as_ref().and_then(Uri::authority);
    if authority.map_or(url, |authority| authority.as_str()).contains('@') {
        return Some(UrlFault::Credentials);
    }
    let sends = matches!(uri.as_ref().and_then(Uri::scheme_str), Some("http" | "https"));
    let reaches = authority.is_some_and(|authority| !authority.host().is_empty());
    (!sends || !reaches).then_some(UrlFault::Form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_before_use() {
        #[rustfmt::skip]
        let urls = [
            ("http://alertmanager:9093", true), ("https://hooks.example.org/x?y=1", true),
            ("ftp://a", false), ("alertmanager:9093", false), ("http://", false), ("/x", false),
            ("https://user:word@host/", false),
        ];
        for (url, fine) in urls {
            assert_eq!(url_fault(url).is_none(), fine, "{url}: {:?}", url_fault(url));
        }
    }

    #[test]
    fn an_address_is_told_without_who_may_use_it() {
        #[rustfmt::skip]
        let cases = [
            ("http://user:hunter2@h:1/x",   "http://***@h:1/x"),
            ("http://user:hun@ter2@h:1/x",  "http://***@h:1/x"),
            ("http://user:hun/ter2@h:1/x",  "http://***@h:1/x"),
            ("http://user:hunter 2@h",      "http://***@h"),
            ("user:hunter2@h:1/x",          "***@h:1/x"),
            ("//user:hunter2@h",            "***@h"),
            ("http://h:1/x",                "http://h:1/x"),
            ("h:1",                         "h:1"),
        ];
        for (url, shown) in cases {
            assert_eq!(masked(url), shown);
        }
    }
}
