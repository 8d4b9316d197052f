//! A broker that wants TLS and a name with a password (SASL/SCRAM).

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::{Broker, free_ports};

const STORE_PASSWORD: &str = "only-for-this-test";

/// A node with a listener in the clear, for tests to look at it, and one that is not.
#[derive(Debug)]
pub struct SecureBroker {
    pub broker: Broker,
    /// `host:port` of the listener with TLS and SASL.
    pub bootstrap: String,
    /// Certificate that signs that of the broker, as PEM.
    pub ca: PathBuf,
}

impl SecureBroker {
    /// Starts a node that knows one user.
    pub fn start(user: &str, password: &str) -> Self {
        let home = TempDir::new().expect("a temporary folder");
        let (store, ca) = (home.path().join("broker.p12"), home.path().join("ca.pem"));
        let store = store.display().to_string();
        keytool(&[
            "-genkeypair",
            "-alias",
            "broker",
            "-keyalg",
            "EC",
            "-dname",
            "CN=127.0.0.1",
            "-ext",
            "SAN=IP:127.0.0.1",
            "-validity",
            "30",
            "-storetype",
            "PKCS12",
            "-keystore",
            &store,
        ]);
        let pem = ca.display().to_string();
        keytool(&["-exportcert", "-rfc", "-alias", "broker", "-file", &pem, "-keystore", &store]);
        let [port, controller] = free_ports();
        let more = format!(
            "listeners=PLAINTEXT://127.0.0.1:@PORT@,SECURE://127.0.0.1:{port},\
             CONTROLLER://127.0.0.1:{controller}\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:@PORT@,SECURE://127.0.0.1:{port}\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL\n\
             sasl.enabled.mechanisms=SCRAM-SHA-512\n\
             listener.name.secure.scram-sha-512.sasl.jaas.config=\
             org.apache.kafka.common.security.scram.ScramLoginModule required;\n\
             ssl.keystore.type=PKCS12\nssl.keystore.location={store}\n\
             ssl.keystore.password={STORE_PASSWORD}\nssl.key.password={STORE_PASSWORD}\n"
        );
        let scram = format!("SCRAM-SHA-512=[name={user},password={password}]");
        let broker = Broker::start_in(home, &more, &["--add-scram", &scram]);
        Self { broker, bootstrap: format!("127.0.0.1:{port}"), ca }
    }
}

fn keytool(arguments: &[&str]) {
    let out = Command::new("keytool")
        .args(arguments)
        .args(["-storepass", STORE_PASSWORD, "-keypass", STORE_PASSWORD])
        .output()
        .expect("keytool is part of the JRE");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
}
