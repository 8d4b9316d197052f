//! Who may change something.
//!
//! With a token file, whoever brings the token. Without one, nobody but a person on this machine: the
//! server must listen on a loopback address, the request must name it as one (else a name server that
//! lies could lead a browser here), and a browser must not send it for another site's page.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use axum::http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::problem::Problem;

/// Shorter tokens can be guessed.
const TOKEN_CHARS_MIN: usize = 16;
/// No token is longer.
const TOKEN_BYTES_MAX: usize = 4_096;

/// The rule for requests that change something. Clones are one.
#[derive(Debug, Clone)]
pub struct Access(Arc<RwLock<Rule>>);

#[derive(Clone, PartialEq)]
enum Rule {
    /// SHA-256 of the token: equally long whatever the guess, and no secret in memory dumps.
    Token([u8; 32]),
    Loopback,
    Nobody,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(***)",
            Self::Loopback => "Loopback",
            Self::Nobody => "Nobody",
        })
    }
}

/// Why a token file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// It cannot be read.
    #[error("http.token_file = `{path}`", path = path.display())]
    Unreadable {
        /// As configured.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds no token.
    #[error(
        "http.token_file = `{path}`: expected {TOKEN_CHARS_MIN} to {TOKEN_BYTES_MAX} visible ASCII characters",
        path = path.display()
    )]
    NoToken {
        /// As configured.
        path: PathBuf,
    },
}

impl Access {
    /// The rule for a server that listens on `address`.
    ///
    /// # Errors
    ///
    /// [`AccessError`] if the token file cannot be read or holds no token.
    pub fn new(token_file: Option<&Path>, address: SocketAddr) -> Result<Self, AccessError> {
        let Some(path) = token_file else {
            let loopback = address.ip().to_canonical().is_loopback();
            return Ok(Self::of(if loopback { Rule::Loopback } else { Rule::Nobody }));
        };
        let path = path.to_owned();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(AccessError::Unreadable { path, source }),
        };
        let token = text.trim_end_matches(['\r', '\n']);
        let sound = (TOKEN_CHARS_MIN..=TOKEN_BYTES_MAX).contains(&token.len())
            && token.bytes().all(|byte| byte.is_ascii_graphic());
        if !sound {
            return Err(AccessError::NoToken { path });
        }
        Ok(Self::of(Rule::Token(Sha256::digest(token).into())))
    }

    fn of(rule: Rule) -> Self {
        Self(Arc::new(RwLock::new(rule)))
    }

    fn rule(&self) -> RwLockReadGuard<'_, Rule> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for what `other` asks for from now on. Returns whether that is something else.
    pub fn replace(&self, other: &Self) -> bool {
        let news = other.rule().clone();
        let mut rule = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *rule != news;
        *rule = news;
        changed
    }

    /// Whether a token is asked for.
    pub fn wants_token(&self) -> bool {
        matches!(*self.rule(), Rule::Token(_))
    }

    /// Whether anybody may change anything.
    pub fn is_closed(&self) -> bool {
        matches!(*self.rule(), Rule::Nobody)
    }

    /// Refuses a request that may not change anything; `typed` is a token that came in a form.
    pub(super) fn check(&self, headers: &HeaderMap, typed: Option<&str>) -> Result<(), Problem> {
        match &*self.rule() {
            Rule::Token(hash) => {
                let given = typed.or_else(|| bearer(headers)).ok_or_else(|| {
                    let detail = "a token is needed: Authorization: Bearer TOKEN";
                    Problem::new(StatusCode::UNAUTHORIZED, detail)
                })?;
                let given: [u8; 32] = Sha256::digest(given).into();
                match bool::from(given.ct_eq(hash)) {
                    true => Ok(()),
                    false => Err(Problem::new(
                        StatusCode::UNAUTHORIZED,
                        "the token is not the right one",
                    )),
                }
            }
            Rule::Loopback => from_here(headers),
            Rule::Nobody => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "without `http.token_file` nothing can be changed through an address that others reach",
            )),
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Without a token: the request names this machine, and no page of another site has sent it.
fn from_here(headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = |detail: &str| Err(Problem::new(StatusCode::FORBIDDEN, detail));
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text("host").unwrap_or_default();
    if !is_loopback(host) {
        return refuse(
            "without `http.token_file` the host must be localhost or a loopback address",
        );
    }
    let foreign =
        text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
    let origin = text("origin").map(|origin| origin.split_once("://").map_or(origin, |(_, at)| at));
    if foreign || origin.is_some_and(|origin| !origin.eq_ignore_ascii_case(host)) {
        return refuse("the page of another site may not change anything here");
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn status(access: &Access, pairs: &[(&'static str, &str)]) -> u16 {
        access.check(&headers(pairs), None).err().map_or(200, |problem| problem.status.as_u16())
    }

    #[test]
    fn without_a_token_only_this_machine_changes_anything() {
        let here = Access::new(None, "127.0.0.1:9108".parse().unwrap()).unwrap();
        let local = ("host", "localhost:9108");
        #[rustfmt::skip]
        let cases: [(&[(&'static str, &str)], u16); 9] = [
            (&[local], 200),
            (&[("host", "[::1]:9108")], 200),
            (&[("host", "127.3.2.1")], 200),
            (&[("host", "evil.example:9108")], 403),
            (&[], 403),
            (&[local, ("origin", "http://localhost:9108"), ("sec-fetch-site", "same-origin")], 200),
            (&[local, ("origin", "http://evil.example")], 403),
            (&[local, ("origin", "null")], 403),
            (&[local, ("sec-fetch-site", "cross-site")], 403),
        ];
        for (pairs, expected) in cases {
            assert_eq!(status(&here, pairs), expected, "{pairs:?}");
        }
        for address in ["0.0.0.0:9108", "[::]:9108", "10.1.2.3:80"] {
            let open = Access::new(None, address.parse().unwrap()).unwrap();
            assert_eq!(status(&open, &[local]), 403, "{address}");
        }
    }

    #[test]
    fn a_token_is_read_from_its_file_and_nothing_else_opens() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "0123456789abcdef\n").unwrap();
        let address = "0.0.0.0:9108".parse().unwrap();
        let access = Access::new(Some(&path), address).unwrap();
        assert_eq!(status(&access, &[("authorization", "Bearer 0123456789abcdef")]), 200);
        assert_eq!(status(&access, &[("authorization", "Bearer 0123456789abcdeF")]), 401);
        assert_eq!(status(&access, &[("authorization", "Basic 0123456789abcdef")]), 401);
        assert_eq!(status(&access, &[("host", "localhost")]), 401);
        assert_eq!(access.check(&HeaderMap::new(), Some("0123456789abcdef")), Ok(()));
        assert!(!format!("{access:?}").contains("0123"));
        // A renewed token counts for all who hold the rule; the old one does not.
        let held = access.clone();
        assert!(!held.replace(&Access::new(Some(&path), address).unwrap()));
        std::fs::write(&path, "fedcba9876543210\n").unwrap();
        assert!(held.replace(&Access::new(Some(&path), address).unwrap()));
        assert_eq!(status(&access, &[("authorization", "Bearer fedcba9876543210")]), 200);
        assert_eq!(status(&access, &[("authorization", "Bearer 0123456789abcdef")]), 401);
        for text in ["", "short\n", "with a blank in it 123", "0123456789abcdef\nmore"] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(Access::new(Some(&path), address), Err(AccessError::NoToken { .. })));
        }
        let missing = Access::new(Some(&folder.path().join("none")), address);
        assert!(matches!(missing, Err(AccessError::Unreadable { .. })));
    }
}
