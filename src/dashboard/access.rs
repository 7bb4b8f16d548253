//! Pure: who may see the dashboard. Whoever has the token, from a page of the dashboard's own.

use core::net::IpAddr;
use subtle::ConstantTimeEq;

/// What is known of a request before anything is answered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked<'a> {
    /// The headers of these names.
    pub host: Option<&'a str>,
    pub origin: Option<&'a str>,
    pub site: Option<&'a str>,
    pub authorization: Option<&'a str>,
    pub cookie: Option<&'a str>,
    /// What comes after the path's question mark.
    pub query: Option<&'a str>,
}

/// What is said to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Welcome,
    /// Who asks has not said the token.
    Unknown,
    /// The page that asks, or the name by which it asks, is not ours.
    Forbidden,
}

/// Who may see.
#[derive(Clone, Debug)]
pub(super) struct Access {
    token: String,
    /// The names and addresses that requests may be addressed to.
    names: Vec<String>,
    /// Whether any address will do, as the dashboard listens at all of them. No page of another site can ask
    /// for an address by its number under a name of that site.
    any_number: bool,
    cookie: String,
}

impl Access {
    /// With a token of so many random bits; for a dashboard that listens there, on the host of that name.
    pub(super) fn new(token: String, listens: IpAddr, port: u16, host: &str) -> Self {
        let mut names = vec!["localhost".to_string(), "127.0.0.1".into(), "::1".into()];
        if !listens.is_loopback() {
            names.extend([listens.to_string(), host.to_ascii_lowercase()]);
            names.extend(host.split('.').next().map(str::to_ascii_lowercase));
        }
        // Cookies are the same for all ports of a host.
        let cookie = format!("maniple-{port}");
        Self { token, names, any_number: listens.is_unspecified(), cookie }
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// What a browser is to send with each request of the page, and only of the page.
    pub(super) fn cookie(&self) -> String {
        format!("{}={}; HttpOnly; SameSite=Strict; Path=/", self.cookie, self.token)
    }

    pub(super) fn verdict(&self, asked: Asked<'_>) -> Verdict {
        let Some(host) = asked.host.filter(|host| self.is_ours(host)) else { return Verdict::Forbidden };
        let same = |origin: &str| origin.strip_prefix("http://").is_some_and(|origin| origin == host);
        if asked.origin.is_some_and(|origin| !same(origin)) {
            return Verdict::Forbidden;
        }
        // A browser says whether another page asks. To be led here by a link, with the token, is another thing.
        let by_other = asked.site.is_some_and(|site| !matches!(site, "same-origin" | "none"));
        let said = query_value(asked.query, "token");
        let bearer = asked.authorization.and_then(|words| words.strip_prefix("Bearer "));
        let cookie = asked.cookie.and_then(|cookies| self.own_cookie(cookies)).filter(|_| !by_other);
        let knows = [said, bearer, cookie].into_iter().flatten().any(|token| self.is_token(token));
        if knows { Verdict::Welcome } else { Verdict::Unknown }
    }

    fn is_token(&self, said: &str) -> bool {
        // As long for a token that is nearly right as for any other.
        said.as_bytes().ct_eq(self.token.as_bytes()).into()
    }

    fn own_cookie<'a>(&self, cookies: &'a str) -> Option<&'a str> {
        let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.into_iter().find_map(|(name, value)| (name == self.cookie).then_some(value))
    }

    /// Whether that is a name of ours, with any port: `ssh -L` may lead from another one.
    fn is_ours(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.chars().all(|letter| letter.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let known = self.names.iter().any(|ours| ours.eq_ignore_ascii_case(name));
        known || self.any_number && name.parse::<IpAddr>().is_ok()
    }
}

/// The value of a name in a query such as `a=1&b=2`. Ours need no decoding.
pub(super) fn query_value<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    query?
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(listens: &str) -> Access {
        Access::new("0123456789abcdef".into(), listens.parse().unwrap(), 8787, "node7.site.org")
    }

    #[test]
    fn the_token_opens_wherever_it_is_said() {
        let access = access("127.0.0.1");
        let asked = Asked { host: Some("localhost:9000"), ..Asked::default() };
        assert_eq!(access.verdict(asked), Verdict::Unknown);
        for asked in [
            Asked { query: Some("a=1&token=0123456789abcdef"), ..asked },
            Asked { authorization: Some("Bearer 0123456789abcdef"), ..asked },
            Asked { cookie: Some("x=1; maniple-8787=0123456789abcdef"), ..asked },
            Asked { query: Some("token=0123456789abcdef"), site: Some("cross-site"), ..asked },
        ] {
            assert_eq!(access.verdict(asked), Verdict::Welcome, "{asked:?}");
        }
        for asked in [
            Asked { query: Some("token="), ..asked },
            Asked { query: Some("token=0123456789abcde"), ..asked },
            Asked { query: Some("token=0123456789abcdef0"), ..asked },
            Asked { authorization: Some("Basic 0123456789abcdef"), ..asked },
            Asked { cookie: Some("maniple-8788=0123456789abcdef"), ..asked },
            Asked { cookie: Some("maniple-8787=0123456789abcdef"), site: Some("cross-site"), ..asked },
        ] {
            assert_eq!(access.verdict(asked), Verdict::Unknown, "{asked:?}");
        }
        assert!(access.cookie().contains("HttpOnly; SameSite=Strict"));
    }

    #[test]
    fn another_host_or_page_is_forbidden_even_with_the_token() {
        let query = Some("token=0123456789abcdef");
        let verdict =
            |listens: &str, host| access(listens).verdict(Asked { host, query, ..Asked::default() });
        let (loopback, node, all) = ("127.0.0.1", "10.1.2.3", "0.0.0.0");
        for (listens, host, expected) in [
            (loopback, Some("localhost"), Verdict::Welcome),
            (loopback, Some("127.0.0.1:8787"), Verdict::Welcome),
            (loopback, Some("[::1]:8787"), Verdict::Welcome),
            (loopback, None, Verdict::Forbidden),
            (loopback, Some(""), Verdict::Forbidden),
            (loopback, Some("evil.example:8787"), Verdict::Forbidden),
            (loopback, Some("localhost.evil.example"), Verdict::Forbidden),
            (loopback, Some("10.1.2.3"), Verdict::Forbidden),
            (node, Some("10.1.2.3:8787"), Verdict::Welcome),
            (node, Some("Node7.site.org:8787"), Verdict::Welcome),
            (node, Some("node7"), Verdict::Welcome),
            (node, Some("10.1.2.4:8787"), Verdict::Forbidden),
            (all, Some("10.1.2.4:8787"), Verdict::Welcome),
            (all, Some("evil.example"), Verdict::Forbidden),
        ] {
            assert_eq!(verdict(listens, host), expected, "{listens} {host:?}");
        }
        let from =
            |origin| Asked { host: Some("localhost:8787"), origin: Some(origin), query, ..Asked::default() };
        assert_eq!(access(loopback).verdict(from("http://localhost:8787")), Verdict::Welcome);
        for origin in ["http://evil.example", "http://localhost:8788", "null", "https://localhost:8787"] {
            assert_eq!(access(loopback).verdict(from(origin)), Verdict::Forbidden, "{origin}");
        }
    }
}
