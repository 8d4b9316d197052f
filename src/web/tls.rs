//! TLS from a certificate and a key in files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest, Sha256};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or holds something else.
    #[error("{key} = `{path}`: {detail}", path = path.display())]
    File {
        /// Key of the configuration.
        key: &'static str,
        /// As configured.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// Certificate and key do not go together.
    #[error("http.tls_cert_file and http.tls_key_file cannot be used: {0}")]
    Refused(#[from] rustls::Error),
}

/// What a TLS server shows: TLS 1.2 and 1.3 by a certificate chain and a key, both PEM. They may be
/// replaced while connections are open. Clones are one.
#[derive(Debug, Clone)]
pub struct Tls(Arc<RwLock<Loaded>>);

#[derive(Debug, Clone)]
struct Loaded {
    config: Arc<ServerConfig>,
    /// SHA-256 of both files.
    digest: [u8; 32],
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    ///
    /// [`TlsError`] if a file cannot be read, or they do not go together.
    pub fn new(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let fault = |key: &'static str, path: &Path, detail: String| TlsError::File {
            key,
            path: path.to_owned(),
            detail,
        };
        let bad_cert = |detail| fault("http.tls_cert_file", cert, detail);
        let bad_key = |detail| fault("http.tls_key_file", key, detail);
        let cert_pem = fs::read(cert).map_err(|error| bad_cert(error.to_string()))?;
        let key_pem = fs::read(key).map_err(|error| bad_key(error.to_string()))?;
        let chain = CertificateDer::pem_slice_iter(&cert_pem).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| bad_cert(error.to_string()))?;
        if chain.is_empty() {
            return Err(bad_cert("there is no certificate in it".into()));
        }
        let private = PrivateKeyDer::from_pem_slice(&key_pem);
        let private = private.map_err(|error| bad_key(error.to_string()))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, private)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let digest = Sha256::new().chain_update(cert_pem).chain_update(key_pem).finalize().into();
        Ok(Self(Arc::new(RwLock::new(Loaded { config: Arc::new(config), digest }))))
    }

    /// What a new connection is shown.
    pub(super) fn now(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).config)
    }

    /// Shows what `other` shows, from the next connection on. Returns whether that is something else.
    pub fn replace(&self, other: &Self) -> bool {
        let news = other.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut loaded = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = loaded.digest != news.digest;
        *loaded = news;
        changed
    }
}
