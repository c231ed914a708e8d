//! Version, status, errors, context.

use std::ffi::{c_char, c_void};

pub const MIXGRPO_VERSION_MAJOR: u32 = 0;
pub const MIXGRPO_VERSION_MINOR: u32 = 1;
pub const MIXGRPO_VERSION_PATCH: u32 = 0;
pub const MIXGRPO_ABI_VERSION: u32 = 1;

pub type mixgrpo_status = i32;
pub const MIXGRPO_STATUS_OK: mixgrpo_status = 0;
pub const MIXGRPO_STATUS_CANCELLED: mixgrpo_status = 1;
pub const MIXGRPO_STATUS_INVALID_ARGUMENT: mixgrpo_status = -1;
pub const MIXGRPO_STATUS_INVALID_STATE: mixgrpo_status = -2;
pub const MIXGRPO_STATUS_BUFFER_TOO_SMALL: mixgrpo_status = -3;
pub const MIXGRPO_STATUS_OUT_OF_MEMORY: mixgrpo_status = -4;
pub const MIXGRPO_STATUS_INPUT_OUTPUT: mixgrpo_status = -5;
pub const MIXGRPO_STATUS_INVALID_FORMAT: mixgrpo_status = -6;
pub const MIXGRPO_STATUS_UNSUPPORTED: mixgrpo_status = -7;
pub const MIXGRPO_STATUS_NOT_FINITE: mixgrpo_status = -8;
pub const MIXGRPO_STATUS_INTERNAL: mixgrpo_status = -9;
pub const MIXGRPO_STATUS_DIVERGED: mixgrpo_status = -10;

opaque!(mixgrpo_context);
pub type mixgrpo_log_level = i32;
pub const MIXGRPO_LOG_LEVEL_INFO: mixgrpo_log_level = 0;
pub const MIXGRPO_LOG_LEVEL_WARNING: mixgrpo_log_level = 1;
pub type mixgrpo_log_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: mixgrpo_log_level, message: *const c_char)>;
pub type mixgrpo_stage = i32;
pub const MIXGRPO_STAGE_ROLLOUT: mixgrpo_stage = 0;
pub const MIXGRPO_STAGE_UPDATE: mixgrpo_stage = 1;
pub const MIXGRPO_STAGE_SAMPLE: mixgrpo_stage = 2;
c_struct!(mixgrpo_progress { struct_size: u32, stage: mixgrpo_stage, done: i64, total: i64 });
pub type mixgrpo_progress_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, progress: *const mixgrpo_progress)>;

extern "C" {
    pub fn mixgrpo_abi_version() -> u32;
    pub fn mixgrpo_version() -> *const c_char;
    pub fn mixgrpo_status_name(status: mixgrpo_status) -> *const c_char;
    pub fn mixgrpo_last_error() -> *const c_char;
    pub fn mixgrpo_context_create(threads: i32, out_context: *mut *mut mixgrpo_context) -> mixgrpo_status;
    pub fn mixgrpo_context_destroy(context: *mut mixgrpo_context);
    pub fn mixgrpo_context_threads(context: *const mixgrpo_context) -> i32;
    pub fn mixgrpo_context_set_log(
        context: *mut mixgrpo_context, callback: mixgrpo_log_callback, user_data: *mut c_void,
    ) -> mixgrpo_status;
    pub fn mixgrpo_context_set_progress(
        context: *mut mixgrpo_context, callback: mixgrpo_progress_callback, user_data: *mut c_void,
    ) -> mixgrpo_status;
    pub fn mixgrpo_context_cancel(context: *const mixgrpo_context) -> mixgrpo_status;
    pub fn mixgrpo_context_reset_cancel(context: *const mixgrpo_context) -> mixgrpo_status;
    pub fn mixgrpo_context_is_cancelled(context: *const mixgrpo_context) -> i32;
}
