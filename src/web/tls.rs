//! TLS from a certificate and a key in files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// A server with this certificate chain and key (both PEM) that speaks TLS 1.2 and 1.3.
///
/// # Errors
///
/// [`TlsError`] if a file cannot be read, or they do not go together.
pub fn tls_config(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let fault = |key: &'static str, path: &Path| {
        let path = path.to_owned();
        move |detail: String| TlsError::File { key, path, detail }
    };
    let chain =
        CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|e| fault("http.tls_cert_file", cert)(e.to_string()))?;
    if chain.is_empty() {
        return Err(fault("http.tls_cert_file", cert)("there is no certificate in it".into()));
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|e| fault("http.tls_key_file", key)(e.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
