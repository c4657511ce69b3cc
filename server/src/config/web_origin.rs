//! Where a web page comes from, `scheme://host[:port]`: in configurations, and in the requests of browsers.
//! Not here: which ones are let in (`network::websocket`).

/// Where a web page comes from.
#[derive(Clone, Debug)]
pub struct WebOrigin {
    /// `http` or `https`, in small letters.
    pub scheme: String,
    /// Host, in small letters, without brackets.
    pub host: String,
    /// Port, the one of the scheme where none is given.
    pub port: u16,
    /// As it was written.
    pub text: String,
}

impl PartialEq for WebOrigin {
    fn eq(&self, other: &Self) -> bool {
        (&self.scheme, &self.host, self.port) == (&other.scheme, &other.host, other.port)
    }
}

impl Eq for WebOrigin {}

impl WebOrigin {
    /// Reads one; none where it is not of a page that was loaded over HTTP. What stands behind the port does not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https") {
            return None;
        }
        let authority = rest.split(['/', '?', '#']).next()?;
        let authority = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
        let (host, port) = Self::host_and_port(&scheme, authority)?;
        Some(Self { scheme, host, port, text: text.to_owned() })
    }

    /// The origin of pages that a server with this address, as a request's `Host` gives it, serves over plain HTTP.
    pub fn of_host(address: &str) -> Option<Self> {
        Self::parse(&format!("http://{address}"))
    }

    fn host_and_port(scheme: &str, authority: &str) -> Option<(String, u16)> {
        let is_bare = !authority.ends_with(']') && authority.contains(':');
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if is_bare => (host, port.parse().ok()?),
            _ => (authority, if scheme == "https" { 443 } else { 80 }),
        };
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match inner {
            Some(inner) => !inner.is_empty() && !inner.contains(['[', ']']),
            None => !host.is_empty() && !host.contains([':', '[', ']']),
        };
        let host = inner.unwrap_or(host);
        let is_text = host.chars().all(|c| !c.is_whitespace() && !c.is_control());
        (is_host && is_text).then(|| (host.to_ascii_lowercase(), port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        for (text, expected) in [
            ("http://a.b", Some(("http", "a.b", 80))),
            ("HTTPS://A.b/path?q", Some(("https", "a.b", 443))),
            ("http://a:81", Some(("http", "a", 81))),
            ("http://u:p@a:81#x", Some(("http", "a", 81))),
            ("https://[::1]", Some(("https", "::1", 443))),
            ("https://[::1]:9", Some(("https", "::1", 9))),
            ("null", None),
            ("a.b", None),
            ("ftp://a", None),
            ("http://", None),
            ("http://:80", None),
            ("http://a:b", None),
            ("http://a:99999", None),
            ("http://::1", None),
            ("http://[]", None),
            ("http://a b", None),
        ] {
            let found = WebOrigin::parse(text);
            let found =
                found.as_ref().map(|one| (one.scheme.as_str(), one.host.as_str(), one.port));
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(WebOrigin::of_host("a"), WebOrigin::parse("http://a:80/x"));
        assert_ne!(WebOrigin::of_host("a"), WebOrigin::parse("https://a:80"));
    }
}
