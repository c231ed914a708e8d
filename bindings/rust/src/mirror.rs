//! Values and structs of the C interface as Rust types.

use crate::error::{Error, Result, Status};

/// A value that crosses the C interface as `Raw`.
pub(crate) trait Mirror<Raw>: Sized {
    fn to_raw(self) -> Raw;
    /// `field` names it in the error for an unknown number.
    fn from_raw(raw: Raw, field: &str) -> Result<Self>;
}

/// A struct that crosses the C interface as `Raw`.
pub(crate) trait MirrorStruct: Sized {
    type Raw;
    /// A raw struct that the library can write to.
    fn sized() -> Self::Raw;
    fn to_raw(&self) -> Self::Raw;
    fn from_raw(raw: &Self::Raw) -> Result<Self>;

    /// What a call of the C interface writes.
    fn read(call: impl FnOnce(*mut Self::Raw) -> crate::sys::mixgrpo_status) -> Result<Self> {
        let mut raw = Self::sized();
        crate::border::call(|| call(&mut raw))?;
        Self::from_raw(&raw)
    }
}

macro_rules! same {
    ($($kind:ty),+) => {
        $(impl Mirror<$kind> for $kind {
            fn to_raw(self) -> $kind {
                self
            }
            fn from_raw(raw: $kind, _: &str) -> Result<Self> {
                Ok(raw)
            }
        })+
    };
}

same!(i32, i64, u64, usize, f64, [i32; 3], [f64; 2], [f64; 6]);

/// A flag.
impl Mirror<i32> for bool {
    fn to_raw(self) -> i32 {
        self.into()
    }
    fn from_raw(raw: i32, _: &str) -> Result<Self> {
        Ok(raw != 0)
    }
}

/// The start of a window; `None` for the plan's scheduled window.
impl Mirror<i32> for Option<u32> {
    fn to_raw(self) -> i32 {
        self.map_or(crate::sys::MIXGRPO_WINDOW_START_SCHEDULED, |start| i32::try_from(start).unwrap_or(i32::MAX))
    }
    fn from_raw(raw: i32, _: &str) -> Result<Self> {
        Ok(u32::try_from(raw).ok())
    }
}

pub(crate) fn unknown(kind: &str, field: &str, got: i32) -> Error {
    Error::new(Status::Unsupported, format!("{field}: expected a {kind} that this crate knows, got {got}"))
}

/// Declares enumerations of the C interface.
macro_rules! mirrored_enums {
    ($($(#[$meta:meta])* $name:ident { $($(#[$about:meta])* $case:ident = $raw:ident,)+ })+) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$about])* $case,)+ }

        impl $crate::mirror::Mirror<i32> for $name {
            fn to_raw(self) -> i32 {
                match self { $(Self::$case => $crate::sys::$raw,)+ }
            }
            fn from_raw(raw: i32, field: &str) -> $crate::Result<Self> {
                match raw {
                    $($crate::sys::$raw => Ok(Self::$case),)+
                    other => Err($crate::mirror::unknown(stringify!($name), field, other)),
                }
            }
        }
    )+ };
}

/// Declares structs of the C interface without their `struct_size` and reserved fields.
macro_rules! mirrored_structs {
    ($($(#[$meta:meta])* $name:ident = $raw:ident { $($(#[$about:meta])* $field:ident: $kind:ty,)+ })+) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $name { $($(#[$about])* pub $field: $kind,)+ }

        impl $crate::mirror::MirrorStruct for $name {
            type Raw = $crate::sys::$raw;
            fn sized() -> Self::Raw {
                $crate::sys::$raw::sized()
            }
            fn to_raw(&self) -> Self::Raw {
                let mut raw = Self::sized();
                $(raw.$field = $crate::mirror::Mirror::to_raw(self.$field);)+
                raw
            }
            fn from_raw(raw: &Self::Raw) -> $crate::Result<Self> {
                Ok(Self { $($field: $crate::mirror::Mirror::from_raw(raw.$field, stringify!($field))?,)+ })
            }
        }
    )+ };
}

/// Declares structs that the library writes and that have texts. They are copied.
macro_rules! copied_structs {
    ($(
        $(#[$meta:meta])* $name:ident = $raw:ident { $($(#[$about:meta])* $field:ident: $kind:ty,)+ }
        texts { $($(#[$text_about:meta])* $text:ident,)+ }
    )+) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name { $($(#[$about])* pub $field: $kind,)+ $($(#[$text_about])* pub $text: String,)+ }

        impl $name {
            /// What a call of the C interface writes.
            pub(crate) fn read(
                call: impl FnOnce(*mut $crate::sys::$raw) -> $crate::sys::mixgrpo_status,
            ) -> $crate::Result<Self> {
                let mut raw = $crate::sys::$raw::sized();
                $crate::border::call(|| call(&mut raw))?;
                Ok(Self {
                    $($field: $crate::mirror::Mirror::from_raw(raw.$field, stringify!($field))?,)+
                    // SAFETY: the library has just written the text and keeps it until a later call on its owner.
                    $($text: unsafe { $crate::border::text(raw.$text) },)+
                })
            }
        }
    )+ };
}

/// Declares configurations, structs of the C interface with the library's defaults: several, or one with arrays.
macro_rules! mirrored_configurations {
    ($(
        $(#[$meta:meta])* $name:ident = $raw:ident { $($(#[$about:meta])* $field:ident: $kind:ty = $default:expr,)+ }
    )+) => { $(
        $crate::mirror::mirrored_structs! { $(#[$meta])* $name = $raw { $($(#[$about])* $field: $kind,)+ } }

        impl Default for $name {
            /// The library's defaults.
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }
    )+ };
    (
        $(#[$meta:meta])* $name:ident<$life:lifetime> = $raw:ident {
            $($(#[$about:meta])* $field:ident: $kind:ty = $default:expr,)+
        }
        arrays { $($(#[$array_about:meta])* $array:ident, $count:ident: $item:ty,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $name<$life> {
            $($(#[$about])* pub $field: $kind,)+
            $($(#[$array_about])* pub $array: Option<&$life [$item]>,)+
        }

        impl $crate::mirror::MirrorStruct for $name<'_> {
            type Raw = $crate::sys::$raw;
            fn sized() -> Self::Raw {
                $crate::sys::$raw::sized()
            }
            /// Points to the arrays, and so must not outlive them.
            fn to_raw(&self) -> Self::Raw {
                let mut raw = Self::sized();
                $(raw.$field = $crate::mirror::Mirror::to_raw(self.$field);)+
                $((raw.$array, raw.$count) = $crate::border::optional(self.$array);)+
                raw
            }
            fn from_raw(raw: &Self::Raw) -> $crate::Result<Self> {
                Ok(Self {
                    $($field: $crate::mirror::Mirror::from_raw(raw.$field, stringify!($field))?,)+
                    $($array: None,)+
                })
            }
        }

        impl Default for $name<'_> {
            /// The library's defaults.
            fn default() -> Self {
                Self { $($field: $default,)+ $($array: None,)+ }
            }
        }
    };
}

pub(crate) use {copied_structs, mirrored_configurations, mirrored_enums, mirrored_structs};
