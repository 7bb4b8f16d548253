//! The side of a module: what [`module!`](crate::module!) adds to it, and how it is introduced to the program.

use crate::{
    current::call::{CallThere, call_here},
    image,
    task::{Descriptor, TaskFunction},
    value::Data,
};
use std::{
    alloc::{GlobalAlloc, Layout},
    any::type_name,
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

/// The version of what stands in this file.
const ABI: u32 = 1;
/// The owner of the note by which a module is known, and the note's kind.
pub(super) const OWNER: &[u8; 8] = b"Maniple\0";
pub(super) const KIND: u32 = ABI;
/// The name of a module's entry.
pub(super) const ENTRY: &std::ffi::CStr = c"maniple_module";

/// The note by which a module is known before it is loaded. It says what it was built with.
#[derive(Debug)]
#[repr(C, align(4))]
pub struct Note {
    name_size: u32,
    size: u32,
    kind: u32,
    name: [u8; 8],
    build: [u8; image::BUILD.len()],
}

impl Note {
    /// The note of what is linked with this copy of the library.
    pub const NEW: Self = {
        let mut build = [0; image::BUILD.len()];
        build.copy_from_slice(image::BUILD.as_bytes());
        Self { name_size: 8, size: build.len() as u32, kind: KIND, name: *OWNER, build }
    };
}

/// What the program gives a module.
#[derive(Debug)]
#[repr(C)]
pub struct Host {
    library: u64,
    home: usize,
    allocate: unsafe fn(Layout) -> *mut u8,
    allocate_zeroed: unsafe fn(Layout) -> *mut u8,
    reallocate: unsafe fn(*mut u8, Layout, usize) -> *mut u8,
    deallocate: unsafe fn(*mut u8, Layout),
}

impl Host {
    /// This program.
    pub(super) fn new() -> Self {
        Self {
            library: image::library(),
            home: image::home(),
            allocate: std::alloc::alloc,
            allocate_zeroed: std::alloc::alloc_zeroed,
            reallocate: std::alloc::realloc,
            deallocate: std::alloc::dealloc,
        }
    }

    /// A program whose library has other dependencies.
    #[cfg(test)]
    pub(super) fn of_another_library() -> Self {
        Self { library: !image::library(), ..Self::new() }
    }
}

/// The types of a function, as the compiler writes them.
pub(super) fn signature<P, R>() -> String {
    format!("{} and returns {}", type_name::<P>(), type_name::<R>())
}

/// A function that a module offers.
#[derive(Debug)]
pub struct Export {
    pub(super) name: &'static str,
    pub(super) descriptor: &'static Descriptor,
    pub(super) signature: fn() -> String,
}

impl Export {
    /// This function, under this name.
    pub const fn of<F, P, M>(name: &'static str, _function: F) -> Self
    where
        F: TaskFunction<P, M, Out: Data>,
    {
        Self { name, descriptor: Descriptor::of::<F, P, M>(), signature: signature::<P, F::Out> }
    }
}

/// What a module gives the program.
#[derive(Debug)]
#[repr(C)]
pub struct Offer {
    pub(super) functions: &'static [Export],
    /// Calls one of its functions, or of those that these submit.
    pub(super) call: CallThere,
}

impl Offer {
    /// These functions.
    pub const fn new(functions: &'static [Export]) -> Self {
        Self { functions, call: call_here }
    }

    /// Introduces the module to a program. Null if they have different types.
    ///
    /// # Safety
    ///
    /// `host` must live for ever, and come from a program whose [`BUILD`](image::BUILD) is the same.
    pub unsafe fn accept(&'static self, host: *const Host) -> *const Self {
        // SAFETY: by the contract.
        if unsafe { (*host).library } != image::library() {
            return ptr::null();
        }
        HOST.store(host.cast_mut(), Ordering::Release);
        // SAFETY: by the contract.
        image::belong_to(unsafe { (*host).home });
        self
    }
}

static HOST: AtomicPtr<Host> = AtomicPtr::new(ptr::null_mut());

/// The program's allocator, in a module: what one of them allocates, the other may free.
#[derive(Debug)]
pub struct HostAllocator;

impl HostAllocator {
    fn host() -> Option<&'static Host> {
        // SAFETY: null, or what `accept` was given, which lives for ever.
        unsafe { HOST.load(Ordering::Acquire).as_ref() }
    }
}

// SAFETY: all is done by the program's allocator. Before the module has been introduced there is no memory, so that none
// of another allocator comes to it later.
unsafe impl GlobalAlloc for HostAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is the same.
        Self::host().map_or(ptr::null_mut(), |host| unsafe { (host.allocate)(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is the same.
        Self::host().map_or(ptr::null_mut(), |host| unsafe { (host.allocate_zeroed)(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's contract is the same.
        Self::host().map_or(ptr::null_mut(), |host| unsafe { (host.reallocate)(memory, layout, size) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if let Some(host) = Self::host() {
            // SAFETY: the caller's contract is the same, and the memory came from there.
            unsafe { (host.deallocate)(memory, layout) }
        }
    }
}

/// Offers the functions of a module, a `cdylib` that [`Client::load_module`](crate::Client::load_module) loads. It
/// stands once in the crate.
///
/// A function is given by its name, or as `name = function`, where that can also be a closure, or
/// [`fallible`](crate::fallible()). Where a parameter is `&str`, `&Path` or `&[u8]`, the tuple of the values that are
/// passed follows the name: `count: (String,) = count`.
///
/// The module uses the program's allocator, so that it can have none of its own. It has no memory until it is loaded: a
/// constructor (`.init_array`, the crate `ctor`) that allocates ends the process.
///
/// ```no_run
/// fn mean(values: &[f64]) -> f64 {
///     values.iter().sum::<f64>() / values.len() as f64
/// }
///
/// fn count(text: &str) -> u64 {
///     text.split_whitespace().count() as u64
/// }
///
/// maniple::module!(mean, count: (String,) = count, twice = |x: u64| 2 * x);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! module {
    ($($name:ident $(: $values:ty)? $(= $function:expr)?),* $(,)?) => {
        #[cfg(not(panic = "unwind"))]
        compile_error!("a module catches the panics of its functions: build it with panic = \"unwind\"");

        // Its own tests have no program.
        #[cfg(not(test))]
        #[global_allocator]
        static MANIPLE_ALLOCATOR: $crate::__module::HostAllocator = $crate::__module::HostAllocator;

        #[used]
        #[unsafe(link_section = ".note.maniple")]
        static MANIPLE_NOTE: $crate::__module::Note = $crate::__module::Note::NEW;

        #[unsafe(no_mangle)]
        unsafe extern "C" fn maniple_module(
            host: *const $crate::__module::Host,
        ) -> *const $crate::__module::Offer {
            static FUNCTIONS: &[$crate::__module::Export] =
                &[$($crate::module!(@ $name ($($values)?) ($($function)?))),*];
            static OFFER: $crate::__module::Offer = $crate::__module::Offer::new(FUNCTIONS);
            // SAFETY: the program that calls this has compared the note.
            unsafe { OFFER.accept(host) }
        }
    };
    (@ $name:ident () ()) => {
        $crate::__module::Export::of::<_, _, _>(stringify!($name), $name)
    };
    (@ $name:ident () ($function:expr)) => {
        $crate::__module::Export::of::<_, _, _>(stringify!($name), $function)
    };
    (@ $name:ident ($values:ty) ()) => {
        $crate::__module::Export::of::<_, $values, _>(stringify!($name), $name)
    };
    (@ $name:ident ($values:ty) ($function:expr)) => {
        $crate::__module::Export::of::<_, $values, _>(stringify!($name), $function)
    };
}
