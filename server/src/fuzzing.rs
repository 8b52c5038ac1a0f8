//! What holds for the parsers that are this program's own business, whatever bytes they read: for the
//! workspace's fuzz targets (`fuzz/`) alone. Each panics where it does not hold.

pub use crate::control::fuzzing::{Asked, ControlApi};
pub use crate::monitor::fuzzing::monitor;
pub use crate::monitor::patroni::fuzzing::patroni;
pub use crate::opener::fuzzing::{Became, RowOpener};
