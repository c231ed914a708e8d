//! What several objects share. A model belongs to its evaluators and trainers too, and an evaluator to its trainers: `&mut`
//! of one of them says nothing of the others.

use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use crate::error::{Error, Result, Status};

/// Keeps calls apart that the C interface wants apart. Nobody waits, and so nothing can wait forever: a call that comes
/// while another is at work is refused.
#[derive(Debug)]
pub(crate) struct Guarded {
    field: &'static str,
    lock: RwLock<()>,
}

impl Guarded {
    pub(crate) fn new(field: &'static str) -> Self {
        Self { field, lock: RwLock::new(()) }
    }

    /// For a call beside which others may read.
    pub(crate) fn read(&self) -> Result<RwLockReadGuard<'_, ()>> {
        match self.lock.try_read() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(self.in_use()),
        }
    }

    /// For a call that must be alone.
    pub(crate) fn change(&self) -> Result<RwLockWriteGuard<'_, ()>> {
        match self.lock.try_write() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(self.in_use()),
        }
    }

    fn in_use(&self) -> Error {
        let field = self.field;
        Error::new(Status::InvalidState, format!("{field}: expected no other call that uses it now, got one at work"))
    }
}
