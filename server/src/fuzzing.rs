//! What holds for the parsers that are this program's own business, whatever bytes they read: for the
//! workspace's fuzz targets (`fuzz/`) alone. Each panics where it does not hold.

pub use crate::control::fuzzing::{Asked, ControlApi};
pub use crate::conversation::{Conversation, Injection, Reply};
pub use crate::monitor::fuzzing::monitor;
pub use crate::monitor::patroni::fuzzing::patroni;
pub use crate::opener::fuzzing::{Became, RowOpener, Setting};
pub use crate::refusals::{
    BLOCK_FAILED, CHANNEL_BINDING, DATABASE_GONE, SHREDDED, SHUTDOWN, VALUE,
};
pub use crate::session::fuzzing::{Carried, Replies};
pub use crate::shape::Shape;
