//! The jars of Apache Kafka, copied once into `target/` by Maven.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::target_folder;

/// The folder with all jars of the broker.
///
/// # Panics
///
/// If Java or Maven is missing and cannot be installed, or Maven fails; the text says what to do.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let pom = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broker/pom.xml");
        let text = fs::read_to_string(&pom).expect("tests/broker/pom.xml");
        let version = text.split(['<', '>']).skip_while(|t| *t != "kafka.version").nth(1);
        let version = version.expect("tests/broker/pom.xml names kafka.version");
        let folder = target_folder().join(format!("kafka-{version}"));
        require("java", "default-jre-headless");
        if !folder.join("complete").exists() {
            require("mvn", "maven");
            copy_jars(&pom, &folder);
            fs::write(folder.join("complete"), "").expect("a writable folder");
        }
        folder
    })
}

fn copy_jars(pom: &Path, folder: &Path) {
    let out = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(pom)
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", folder.display()))
        .output()
        .expect("mvn starts");
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "maven could not fetch the broker's jars:\n{said}");
}

/// Makes sure that a command is there, installing its Debian package where that is possible.
pub fn require(command: &str, package: &str) {
    if is_there(command) {
        return;
    }
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n");
    assert!(root && is_there("apt-get"), "`{command}` is missing: install it (Debian: {package})");
    for arguments in [["update", "-qq"].as_slice(), &["install", "-y", "-qq", package]] {
        let out = Command::new("apt-get").args(arguments).output().expect("apt-get starts");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "apt-get {arguments:?}: {said}");
    }
    assert!(is_there(command), "package {package} did not bring `{command}`");
}

fn is_there(command: &str) -> bool {
    let probe = format!("command -v {command}");
    Command::new("sh").args(["-c", &probe]).output().is_ok_and(|out| out.status.success())
}
