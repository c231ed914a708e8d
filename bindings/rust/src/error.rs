//! Errors of the library.

use std::fmt;

use crate::sys;

/// The kind of a failure, with the pinned numbers of `mixgrpo.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The context was cancelled; all is as before the call (but see `Undo::None`).
    Cancelled,
    /// A value out of its range, of the wrong size, or not finite.
    InvalidArgument,
    /// The call does not fit what came before, such as an update without a rollout, or another thread uses the same
    /// model.
    InvalidState,
    /// A buffer is smaller than what would be written.
    BufferTooSmall,
    /// The system gives no more memory, or a limit that the host set is reached.
    OutOfMemory,
    /// The operating system refused to read or write.
    InputOutput,
    /// A file's content is not what its format demands.
    InvalidFormat,
    /// A valid request that this build or machine cannot serve.
    Unsupported,
    /// A result would be NaN or infinite; it was not applied.
    NotFinite,
    /// A fault of the library itself.
    Internal,
    /// An update would change the model too much; it was not applied.
    Diverged,
}

impl Status {
    /// The kind of failure of a status of the C interface; `Internal` for an unknown number.
    pub(crate) fn of(code: sys::mixgrpo_status) -> Self {
        match code {
            sys::MIXGRPO_STATUS_CANCELLED => Self::Cancelled,
            sys::MIXGRPO_STATUS_INVALID_ARGUMENT => Self::InvalidArgument,
            sys::MIXGRPO_STATUS_INVALID_STATE => Self::InvalidState,
            sys::MIXGRPO_STATUS_BUFFER_TOO_SMALL => Self::BufferTooSmall,
            sys::MIXGRPO_STATUS_OUT_OF_MEMORY => Self::OutOfMemory,
            sys::MIXGRPO_STATUS_INPUT_OUTPUT => Self::InputOutput,
            sys::MIXGRPO_STATUS_INVALID_FORMAT => Self::InvalidFormat,
            sys::MIXGRPO_STATUS_UNSUPPORTED => Self::Unsupported,
            sys::MIXGRPO_STATUS_NOT_FINITE => Self::NotFinite,
            sys::MIXGRPO_STATUS_DIVERGED => Self::Diverged,
            _ => Self::Internal,
        }
    }

    /// Its number in the C interface.
    pub(crate) fn code(self) -> sys::mixgrpo_status {
        match self {
            Self::Cancelled => sys::MIXGRPO_STATUS_CANCELLED,
            Self::InvalidArgument => sys::MIXGRPO_STATUS_INVALID_ARGUMENT,
            Self::InvalidState => sys::MIXGRPO_STATUS_INVALID_STATE,
            Self::BufferTooSmall => sys::MIXGRPO_STATUS_BUFFER_TOO_SMALL,
            Self::OutOfMemory => sys::MIXGRPO_STATUS_OUT_OF_MEMORY,
            Self::InputOutput => sys::MIXGRPO_STATUS_INPUT_OUTPUT,
            Self::InvalidFormat => sys::MIXGRPO_STATUS_INVALID_FORMAT,
            Self::Unsupported => sys::MIXGRPO_STATUS_UNSUPPORTED,
            Self::NotFinite => sys::MIXGRPO_STATUS_NOT_FINITE,
            Self::Diverged => sys::MIXGRPO_STATUS_DIVERGED,
            Self::Internal => sys::MIXGRPO_STATUS_INTERNAL,
        }
    }
}

/// A failed call. Its objects are as before the call, unless the method says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    status: Status,
    message: String,
}

impl Error {
    /// Creates an error, for a [`HostModel`](crate::HostModel) that cannot answer.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Status::InvalidArgument, message)
    }

    /// The kind of the failure.
    pub fn status(&self) -> Status {
        self.status
    }

    /// One line with the field, what was expected, and what was passed; several are separated by "; ".
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the call stopped because its context was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.status == Status::Cancelled
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The result of a fallible call.
pub type Result<T> = std::result::Result<T, Error>;
