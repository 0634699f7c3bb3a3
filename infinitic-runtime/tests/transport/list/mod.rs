//! The list, by what it is about.

pub(crate) mod alone;
pub(crate) mod dead;
pub(crate) mod everybody;
pub(crate) mod inboxes;
pub(crate) mod personal;
pub(crate) mod reading;
pub(crate) mod sending;
pub(crate) mod shared;
