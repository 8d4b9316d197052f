//! Tells the crate what it was built from, for `latentd_build_info`.
//!
//! Packages set `LATENTD_REVISION`; without it the revision is not known. Asking git here would
//! rebuild everything at each commit, or tell an old one.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=deploy/build.rs");
    println!("cargo:rerun-if-env-changed=LATENTD_REVISION");
    let revision = std::env::var("LATENTD_REVISION").unwrap_or_else(|_| "unknown".to_owned());
    println!("cargo:rustc-env=LATENTD_REVISION={revision}");
    println!("cargo:rustc-env=LATENTD_RUSTC={}", rustc_version());
}

/// `1.88.0` of `rustc 1.88.0 (6b00bc388 2025-06-23)`.
fn rustc_version() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(rustc).arg("--version").output().ok();
    let said = said.and_then(|out| String::from_utf8(out.stdout).ok()).unwrap_or_default();
    said.split_whitespace().nth(1).unwrap_or("unknown").to_owned()
}
