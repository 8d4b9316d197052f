//! Points at which a test may end the process, as a power cut would.
//!
//! Only with the feature `failpoints`, and only if `LATENTD_FAILPOINT=name` or `name:n` (the n-th
//! time, from 1) is set. Without the feature the calls are empty.

/// Ends the process here if this point is armed.
#[cfg(not(feature = "failpoints"))]
pub fn hit(_: &str) {}

/// Ends the process a moment after this point if it is armed.
#[cfg(not(feature = "failpoints"))]
pub fn soon(_: &str) {}

#[cfg(feature = "failpoints")]
pub use armed::{hit, soon};

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    struct Armed {
        name: String,
        left: AtomicI64,
    }

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let text = std::env::var("LATENTD_FAILPOINT").ok()?;
        let (name, times) = text.split_once(':').unwrap_or((&text, "1"));
        let left = AtomicI64::new(times.parse().ok()?);
        Some(Armed { name: name.to_owned(), left })
    });

    fn is_now(name: &str) -> bool {
        let armed = ARMED.as_ref().filter(|armed| armed.name == name);
        armed.is_some_and(|armed| armed.left.fetch_sub(1, Ordering::SeqCst) == 1)
    }

    /// Ends the process here if this point is armed.
    pub fn hit(name: &str) {
        if is_now(name) {
            std::process::abort();
        }
    }

    /// Ends the process a moment after this point if it is armed.
    pub fn soon(name: &str) {
        if is_now(name) {
            std::thread::spawn(|| {
                std::thread::sleep(Duration::from_micros(500));
                std::process::abort();
            });
        }
    }
}
