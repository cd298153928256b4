//! Addresses on the web, as far as a download needs them.

use ureq::http::Uri;

/// The address in `text`; `None` unless it is one of `http` or `https` with a host.
pub(super) fn parse(text: &str) -> Option<Uri> {
    let (text, _) = text.split_once('#').unwrap_or((text, ""));
    let address: Uri = text.parse().ok()?;
    let web = matches!(address.scheme_str(), Some("http" | "https"));
    let host = address.host().is_some_and(|host| !host.is_empty());
    (web && host).then_some(address)
}

/// Where a redirect from `base` to `location` leads (RFC 3986, section 5); `None` where that is no
/// address to follow, such as one that leaves `https`.
pub(super) fn follow(base: &Uri, location: &str) -> Option<Uri> {
    let scheme = base.scheme_str()?;
    let host = base.authority()?;
    let path = base.path();
    let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
    let text = match location {
        absolute if has_scheme(absolute) => absolute.to_owned(),
        other_host if other_host.starts_with("//") => format!("{scheme}:{other_host}"),
        rooted if rooted.starts_with('/') => format!("{scheme}://{host}{rooted}"),
        query if query.starts_with('?') => format!("{scheme}://{host}{path}{query}"),
        relative => format!("{scheme}://{host}{folder}{relative}"),
    };
    parse(&text).filter(|next| scheme == "http" || next.scheme_str() == Some("https"))
}

/// Whether `location` begins with a scheme, as in `https:`.
fn has_scheme(location: &str) -> bool {
    location.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// The last part of an address's path.
pub(super) fn file_name(address: &str) -> &str {
    let path = address.split(['?', '#']).next().unwrap_or(address);
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_web_will_do() {
        assert!(parse("https://example.org/model.safetensors#top").is_some());
        for other in [
            "",
            "model.pth",
            "/models/vgg19.pth",
            "ftp://example.org/x",
            "http://",
        ] {
            assert!(parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn redirects_lead_where_rfc_3986_says() {
        let base = parse("https://example.org/a/b?c=d").unwrap();
        for (location, expected) in [
            ("https://other.org/x?y=z", "https://other.org/x?y=z"),
            ("//other.org/x", "https://other.org/x"),
            ("/x:y", "https://example.org/x:y"),
            ("x", "https://example.org/a/x"),
            ("?e=f", "https://example.org/a/b?e=f"),
        ] {
            let next = follow(&base, location).unwrap();
            assert_eq!(next.to_string(), expected, "{location}");
        }
    }

    #[test]
    fn a_redirect_may_not_leave_encryption_or_the_web() {
        let base = parse("https://example.org/a").unwrap();
        assert!(follow(&base, "http://example.org/a").is_none());
        assert!(follow(&base, "file:///etc/passwd").is_none());
        let open = parse("http://example.org/a").unwrap();
        assert!(follow(&open, "https://example.org/a").is_some());
    }

    #[test]
    fn a_files_name_is_what_comes_last() {
        assert_eq!(file_name("https://example.org/m/v-12.pth?a=/b"), "v-12.pth");
        assert_eq!(file_name("https://example.org/"), "");
    }
}
