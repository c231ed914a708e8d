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

/// A struct has the size that C gives it; one that begins with `struct_size` can be made `sized`: that field set, all others
/// 0.
macro_rules! layout {
    (sized $name:ident: $size:literal) => {
        layout!(plain $name: $size);
        impl $name {
            pub fn sized() -> Self {
                // SAFETY: integers, floats and raw pointers may all be 0.
                let zeros: Self = unsafe { std::mem::zeroed() };
                Self { struct_size: $size, ..zeros }
            }
        }
    };
    (plain $name:ident: $size:literal) => {
        const _: () = assert!(std::mem::size_of::<$name>() == $size);
    };
}

mod abi;

pub use abi::*;
