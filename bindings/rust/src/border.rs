//! The only place where calls leave Rust: statuses become errors, handles are owned, panics of callbacks are resumed.

use std::ffi::{c_char, CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{null_mut, NonNull};

use crate::error::{Error, Result, Status};
use crate::{panics, sys};

/// Makes a call of the C interface. A panic of a callback during the call is resumed here.
pub(crate) fn call(function: impl FnOnce() -> sys::mixgrpo_status) -> Result<()> {
    compatible()?;
    let status = function();
    let result = match status {
        sys::MIXGRPO_STATUS_OK => Ok(()),
        // SAFETY: the text is valid until this thread's next failing call.
        code => Err(Error::new(Status::of(code), unsafe { text(sys::mixgrpo_last_error()) })),
    };
    panics::resume();
    result
}

fn compatible() -> Result<()> {
    // SAFETY: may be called at any time.
    match unsafe { sys::mixgrpo_abi_version() } {
        sys::MIXGRPO_ABI_VERSION => Ok(()),
        other => Err(Error::new(
            Status::Unsupported,
            format!("libmixgrpo: expected binary interface {}, got {other}", sys::MIXGRPO_ABI_VERSION),
        )),
    }
}

/// An object behind a handle of the C interface.
pub(crate) trait Object {
    /// # Safety
    /// `raw` is a handle that was not destroyed.
    unsafe fn destroy(raw: *mut Self);
}

macro_rules! objects {
    ($($name:ident: $destroy:ident,)+) => {
        $(impl Object for sys::$name {
            unsafe fn destroy(raw: *mut Self) {
                // SAFETY: as promised by the caller.
                unsafe { sys::$destroy(raw) }
            }
        })+
    };
}

objects! {
    mixgrpo_context: mixgrpo_context_destroy,
    mixgrpo_model: mixgrpo_model_destroy,
    mixgrpo_prompts: mixgrpo_prompts_destroy,
    mixgrpo_evaluator: mixgrpo_evaluator_destroy,
    mixgrpo_plan: mixgrpo_plan_destroy,
    mixgrpo_rollout: mixgrpo_rollout_destroy,
    mixgrpo_update: mixgrpo_update_destroy,
    mixgrpo_optimizer: mixgrpo_optimizer_destroy,
    mixgrpo_trainer: mixgrpo_trainer_destroy,
    mixgrpo_local_ranks: mixgrpo_local_ranks_destroy,
    mixgrpo_evaluation: mixgrpo_evaluation_destroy,
    mixgrpo_image: mixgrpo_image_destroy,
}

/// Owns one reference to an object of the library.
#[derive(Debug)]
pub(crate) struct Handle<T: Object>(NonNull<T>);

// SAFETY: objects are bound to no thread. Exclusive calls need `&mut` of the handle's owner, or a `Guarded`.
unsafe impl<T: Object> Send for Handle<T> {}
// SAFETY: calls that take a const handle may run on many threads at once.
unsafe impl<T: Object> Sync for Handle<T> {}

impl<T: Object> Handle<T> {
    /// Owns what a `_create` or `_load` wrote.
    pub(crate) fn create(function: impl FnOnce(*mut *mut T) -> sys::mixgrpo_status) -> Result<Self> {
        let mut raw = null_mut();
        call(|| function(&mut raw))?;
        NonNull::new(raw).map(Self).ok_or_else(|| Error::new(Status::Internal, "handle: expected one, got NULL"))
    }

    pub(crate) fn get(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T: Object> Drop for Handle<T> {
    fn drop(&mut self) {
        // SAFETY: this is the only owner of the reference.
        unsafe { T::destroy(self.0.as_ptr()) }
    }
}

/// # Safety
/// `raw` is NULL or a string that is valid during the call.
pub(crate) unsafe fn text(raw: *const c_char) -> String {
    if raw.is_null() {
        return String::new();
    }
    // SAFETY: as promised by the caller.
    unsafe { CStr::from_ptr(raw) }.to_string_lossy().into_owned()
}

/// A string that the library keeps for the life of the process.
///
/// # Safety
/// `raw` is NULL or such a string.
pub(crate) unsafe fn static_text(raw: *const c_char) -> Option<&'static str> {
    if raw.is_null() {
        return None;
    }
    // SAFETY: as promised by the caller.
    unsafe { CStr::from_ptr(raw) }.to_str().ok()
}

pub(crate) fn c_text(value: &str, field: &str) -> Result<CString> {
    CString::new(value).map_err(|_| Error::invalid(format!("{field}: expected no zero character, got {value:?}")))
}

pub(crate) fn c_texts<S: AsRef<str>>(values: &[S], field: &str) -> Result<Vec<CString>> {
    values.iter().map(|value| c_text(value.as_ref(), field)).collect()
}

pub(crate) fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::invalid(format!("path: expected no zero character, got {path:?}")))
}

pub(crate) fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).collect()
}

/// Reads a text. Without a buffer the library returns its size.
pub(crate) fn read_text(read: impl Fn(*mut c_char, usize, *mut usize) -> sys::mixgrpo_status) -> Result<String> {
    let bytes = read_all(|buffer: *mut u8, capacity, size| read(buffer.cast(), capacity, size))?;
    Ok(CStr::from_bytes_until_nul(&bytes).unwrap_or_default().to_string_lossy().into_owned())
}

/// Reads all values. Without a buffer the library returns their number; there may be fewer at the second call.
pub(crate) fn read_all<T: Copy + Default>(
    read: impl Fn(*mut T, usize, *mut usize) -> sys::mixgrpo_status,
) -> Result<Vec<T>> {
    let mut size = 0;
    call(|| read(null_mut(), 0, &mut size))?;
    let mut values = buffer(size)?;
    call(|| read(values.as_mut_ptr(), values.len(), &mut size))?;
    values.truncate(size);
    Ok(values)
}

/// A buffer of zeros, or an error when there is no memory for it.
pub(crate) fn buffer<T: Copy + Default>(count: usize) -> Result<Vec<T>> {
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|_| {
        Error::new(Status::OutOfMemory, format!("buffer: expected memory for {count} values, got none"))
    })?;
    values.resize(count, T::default());
    Ok(values)
}

/// The product of dimensions. A product that overflows becomes a size that cannot be allocated.
pub(crate) fn product(dimensions: &[usize]) -> usize {
    dimensions.iter().fold(1, |product: usize, dimension| product.saturating_mul(*dimension))
}

/// A count as the C interface passes it.
pub(crate) fn count(number: usize, field: &str) -> Result<i32> {
    i32::try_from(number).map_err(|_| Error::invalid(format!("{field}: expected at most {}, got {number}", i32::MAX)))
}

/// The C interface takes one size for several arrays: each array must have it.
pub(crate) fn same_size(field: &str, expected: usize, got: usize) -> Result<()> {
    if expected == got {
        return Ok(());
    }
    Err(Error::invalid(format!("{field}: expected {expected} values, got {got}")))
}

/// Pointer and size of an optional array: NULL and 0 for `None`.
pub(crate) fn optional<T>(values: Option<&[T]>) -> (*const T, usize) {
    values.map_or((std::ptr::null(), 0), |values| (values.as_ptr(), values.len()))
}
