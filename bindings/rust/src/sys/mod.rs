//! The C interface as `mixgrpo.h` declares it, section by section. That header is the manual: shapes, bounds, errors and
//! thread rules of everything here stand there. A test holds names, types and memory layout to it.
#![allow(missing_docs, non_camel_case_types, clippy::missing_safety_doc)]

/// A type of which the host only ever holds pointers.
macro_rules! opaque {
    ($name:ident) => {
        #[repr(C)]
        #[derive(Debug)]
        pub struct $name {
            _content: [u8; 0],
            _not_send: std::marker::PhantomData<(*mut u8, std::marker::PhantomPinned)>,
        }
    };
}

/// A struct as C lays it out. One that begins with `struct_size` can be made `sized`: that field set, all others 0.
macro_rules! c_struct {
    ($name:ident { struct_size: u32, $($field:ident: $type:ty),+ $(,)? }) => {
        c_struct!(@declare $name { struct_size: u32, $($field: $type,)+ });
        impl $name {
            pub fn sized() -> Self {
                // SAFETY: integers, floats and raw pointers may all be 0.
                let zeros: Self = unsafe { std::mem::zeroed() };
                Self { struct_size: std::mem::size_of::<Self>() as u32, ..zeros }
            }
        }
    };
    ($name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        c_struct!(@declare $name { $($field: $type,)+ });
    };
    (@declare $name:ident { $($field:ident: $type:ty,)+ }) => {
        #[repr(C)]
        #[derive(Clone, Copy, Debug)]
        pub struct $name {
            $(pub $field: $type,)+
        }
        #[cfg(test)]
        impl $crate::sys::layout::Laid for $name {
            fn layout() -> $crate::sys::layout::Struct {
                $crate::sys::layout::Struct {
                    name: stringify!($name),
                    size: std::mem::size_of::<Self>(),
                    fields: vec![$($crate::sys::layout::Field {
                        name: stringify!($field),
                        rust_type: stringify!($type),
                        offset: std::mem::offset_of!($name, $field),
                        size: std::mem::size_of::<$type>(),
                    }),+],
                }
            }
        }
    };
}

mod base;
mod learning;
mod model;
mod pieces;
mod settings;
mod trainer;

#[cfg(test)]
mod declarations;
#[cfg(test)]
mod header;
#[cfg(test)]
mod layout;

pub use base::*;
pub use learning::*;
pub use model::*;
pub use pieces::*;
pub use settings::*;
pub use trainer::*;
