//! What can be wrong with a data directory, each said in three parts: what, what is accepted, what
//! to do.

use std::io;
use std::path::{Path, PathBuf};

use crate::backend::StoreError;

/// Why a data directory could not be opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another store in this one, has it open.
    #[error(
        "the data directory {} is in use by {owner}; it belongs to one process at a time; \
         stop that process or choose another directory", dir.display()
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// Process, machine and start as the owner wrote them down.
        owner: String,
    },
    /// The path names a file.
    #[error(
        "{} is not a directory; the store needs a directory of its own; \
         choose another path or move the file away", path.display()
    )]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// The directory is to be created in one that does not exist.
    #[error(
        "{} cannot be created because {} does not exist; only the last part of the path is \
         created; create the rest first, or correct the path", path.display(), parent.display()
    )]
    NoParent {
        /// The directory that was asked for.
        path: PathBuf,
        /// The one that is missing.
        parent: PathBuf,
    },
    /// The directory cannot be written.
    #[error(
        "{} cannot be written ({source}); the store needs read and write access to its directory \
         and all in it; change its permissions or mount, or run as its owner", path.display()
    )]
    ReadOnly {
        /// What could not be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A newer version of this library has written it.
    #[error(
        "the data directory {} has format {found}; this version reads formats up to {known}; \
         start it with the version that wrote it, or a later one", dir.display()
    )]
    NewerFormat {
        /// The directory.
        dir: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format this version knows.
        known: u32,
    },
    /// Something that was durable is missing or changed.
    #[error(
        "{} is damaged: {what}; a store opens only when all it ever confirmed can be read; \
         nothing confirmed was changed: check the disk and restore the whole directory from a \
         backup",
        file.display()
    )]
    Damaged {
        /// The file that is damaged, or the directory when it cannot be said closer.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The system refused something for another reason.
    #[error(
        "cannot {doing} {} ({source}); the store needs a working disk with room on it; \
         solve that and start again", path.display()
    )]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    /// An error of the system, sorted by what a reader has to do about it.
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly { path, source }
            }
            _ => Self::Io {
                doing,
                path,
                source,
            },
        }
    }

    pub(super) fn damaged(file: &Path, what: impl Into<String>) -> Self {
        Self::Damaged {
            file: file.to_path_buf(),
            what: what.into(),
        }
    }
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        let text = error.to_string();
        match error {
            OpenError::InUse { .. } => Self::InUse(text),
            OpenError::NewerFormat { .. } => Self::NewerFormat(text),
            OpenError::Damaged { .. } => Self::Damaged(text),
            OpenError::NotADirectory { .. }
            | OpenError::NoParent { .. }
            | OpenError::ReadOnly { .. }
            | OpenError::Io { .. } => Self::Io(text),
        }
    }
}
