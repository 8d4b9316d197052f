//! Numbers that cannot be wrong: every door, `Deserialize` included, goes through the check.

use serde::{Deserialize, Serialize};

/// Why a number was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NumberError {
    /// Not above zero, not finite, or NaN.
    #[error("expected a number above 0, got {0}")]
    NotPositive(f64),
    /// Not strictly between zero and one.
    #[error("expected a number between 0 and 1, got {0}")]
    NotFraction(f64),
}

/// A finite number above zero.
#[derive(
    Debug, Clone, Copy, PartialEq, PartialOrd, Deserialize, Serialize, schemars::JsonSchema,
)]
#[serde(try_from = "f64", into = "f64")]
#[schemars(with = "f64", extend("exclusiveMinimum" = 0))]
pub struct Positive(f64);

impl Positive {
    /// The number itself.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Positive {
    type Error = NumberError;

    fn try_from(value: f64) -> Result<Self, NumberError> {
        if 0.0 < value && value < f64::INFINITY {
            Ok(Self(value))
        } else {
            Err(NumberError::NotPositive(value))
        }
    }
}

impl From<Positive> for f64 {
    fn from(number: Positive) -> Self {
        number.0
    }
}

/// A number strictly between zero and one.
#[derive(
    Debug, Clone, Copy, PartialEq, PartialOrd, Deserialize, Serialize, schemars::JsonSchema,
)]
#[serde(try_from = "f64", into = "f64")]
#[schemars(with = "f64", extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
pub struct Fraction(f64);

impl Fraction {
    /// The number itself.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Fraction {
    type Error = NumberError;

    fn try_from(value: f64) -> Result<Self, NumberError> {
        if 0.0 < value && value < 1.0 {
            Ok(Self(value))
        } else {
            Err(NumberError::NotFraction(value))
        }
    }
}

impl From<Fraction> for f64 {
    fn from(number: Fraction) -> Self {
        number.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_enters_by_no_door() {
        assert!(Positive::try_from(f64::NAN).is_err());
        assert!(Fraction::try_from(f64::NAN).is_err());
        assert!(serde_json::from_str::<Positive>("-1.0").is_err());
        assert!(serde_json::from_str::<Fraction>("1.0").is_err());
        assert_eq!(serde_json::from_str::<Positive>("2.5").map(Positive::get).ok(), Some(2.5));
    }
}
