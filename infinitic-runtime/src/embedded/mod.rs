//! The store on this machine's disk: rows in `fjall`, one atomic synced write for each batch.
//!
//! One directory belongs to one process at a time and holds
//!
//! ```text
//! infinitic.lock   who has the directory open (`lock`)
//! infinitic.mark   number of the last durable batch, format, unclean exits (`mark`)
//! infinitic.turns  the turn that each shard is in, after some crashes in a row (`turns`)
//! rows/            the database: journals, manifests, tables
//! ```
//!
//! **Never a silent gap.** The database alone may open without rows that it once confirmed: a bit
//! flipped in its journal ends the replay there, one in a manifest's pointer brings an older list
//! of tables back. So everything is read and compared before the database may touch it (`verify`),
//! and afterwards the number of its last batch is compared with what the journals and the mark say.
//! What differs is refused; nothing is repaired but a torn tail, which was never confirmed.

mod engine;
mod error;
mod lock;
mod mark;
mod open;
mod store;
#[cfg(test)]
mod tests;
mod turns;
mod verify;

pub use error::OpenError;
pub use store::EmbeddedStore;
