//! The C interface, generated from `mixgrpo.h`. That header documents shapes, ranges, errors and thread rules of everything
//! here.
#![allow(missing_docs, non_camel_case_types, clippy::missing_safety_doc)]

/// A type that the host only holds pointers to.
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

/// A struct of plain values with the size that C gives it. One that begins with `struct_size` can be made `sized`: that field
/// set, all others 0.
macro_rules! structure {
    (sized $name:ident: $size:literal { $($field:ident: $kind:ty,)+ }) => {
        structure!($name: $size { struct_size: u32, $($field: $kind,)+ });
        impl $name {
            pub fn sized() -> Self {
                // SAFETY: integers, floats and raw pointers may all be 0.
                let zeros: Self = unsafe { std::mem::zeroed() };
                Self { struct_size: $size, ..zeros }
            }
        }
    };
    ($name:ident: $size:literal { $($field:ident: $kind:ty,)+ }) => {
        #[repr(C)]
        #[derive(Clone, Copy, Debug)]
        pub struct $name { $(pub $field: $kind,)+ }
        const _: () = assert!(std::mem::size_of::<$name>() == $size);
    };
}

mod abi;

pub use abi::*;
