//! What can be wrong with what the caller configures. All of it is the operator's to correct, and none
//! of it changes anything that runs.

use crate::settings::MAX_WEIGHT;

/// A configuration that is not taken. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A pause or a count of [`Checks`](crate::Checks) that must be above zero.
    #[error("{setting} is 0: set it above 0")]
    Zero {
        /// The field's name.
        setting: &'static str,
    },
    /// An endpoint's name stands twice in the list.
    #[error("endpoint {name} is listed twice: remove one, or give it another name")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A weight above [`MAX_WEIGHT`].
    #[error("endpoint {name} has weight {weight}: the highest is {MAX_WEIGHT}")]
    Weight {
        /// The endpoint's name.
        name: String,
        /// The weight given.
        weight: u32,
    },
}
