//! Opens OpenCL's loader when it is first needed, not when the program starts.
//!
//! The `ocl` crate wants the linker to find `libOpenCL.so`, and the system to find it again before
//! `main`. So the same program could not run on nodes without GPUs, nor be built where no OpenCL is
//! installed. Here each function of OpenCL 1.2 is one jump to an address, and [`open`] fills in the
//! addresses. The linker finds these symbols first; `build.rs` gives it an empty library of the right
//! name. They are hidden, so that a shared library made of this crate does not offer them to others.
//!
//! Nothing else may call OpenCL before `open` has returned `Ok`.

use std::{
    ffi::{CStr, CString, c_int, c_void},
    sync::{
        OnceLock,
        atomic::{AtomicPtr, Ordering},
    },
};

/// Names another file than the system's `libOpenCL.so.1`.
const VARIABLE: &str = "MANIPLE_OPENCL_LIBRARY";
/// What the loader is called: on nodes with the run-time part only, and on others.
const NAMES: [&str; 2] = ["libOpenCL.so.1", "libOpenCL.so"];

/// Opens the loader, once. The words of the error name the file and the remedy.
pub(super) fn open() -> Result<(), String> {
    static OPENED: OnceLock<Result<(), String>> = OnceLock::new();
    OPENED.get_or_init(find).clone()
}

fn find() -> Result<(), String> {
    let chosen = std::env::var(VARIABLE).ok().filter(|name| !name.trim().is_empty());
    let names: Vec<&str> = chosen.as_deref().map_or(NAMES.to_vec(), |name| vec![name]);
    let mut words = Vec::new();
    for name in names {
        match open_file(name) {
            Ok(library) => return fill(library, name),
            Err(error) => words.push(error),
        }
    }
    let words = words.join("; ");
    Err(format!("no OpenCL loader: {words} (install ocl-icd-libopencl1, or name the file in {VARIABLE})"))
}

fn open_file(name: &str) -> Result<*mut c_void, String> {
    let name = CString::new(name).map_err(|_| format!("{name:?} is no file name"))?;
    // SAFETY: the name ends with a zero. The library's constructors run, as at the start of a program.
    let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if !library.is_null() {
        return Ok(library);
    }
    // SAFETY: after a failure this is a text that lives until this thread's next call.
    let words = unsafe { libc::dlerror() };
    if words.is_null() {
        return Err(format!("{name:?} cannot be opened"));
    }
    // SAFETY: as above; not null.
    Err(unsafe { CStr::from_ptr(words) }.to_string_lossy().into_owned())
}

/// Looks each function up. The library is never closed.
fn fill(library: *mut c_void, file: &str) -> Result<(), String> {
    for (name, slot) in ENTRIES {
        // SAFETY: the library is open and the name ends with a zero.
        let address = unsafe { libc::dlsym(library, name.as_ptr()) };
        if !address.is_null() {
            slot.store(address, Ordering::Release);
        } else if !is_for_graphics(name) {
            return Err(format!("the OpenCL loader {file} is older than OpenCL 1.2: it lacks {name:?}"));
        }
    }
    Ok(())
}

/// Whether it shares memory with OpenGL: a loader may lack it, and it is never called here.
fn is_for_graphics(name: &CStr) -> bool {
    name.to_bytes().windows(2).any(|pair| pair == b"GL")
}

/// `CL_PLATFORM_NOT_FOUND_KHR`, the answer of every function that is not there.
extern "C" fn missing() -> c_int {
    -1001
}

/// For each name a symbol that jumps to where its slot says.
macro_rules! functions {
    ($($name:ident)*) => {
        $(
            #[allow(non_snake_case)]
            mod $name {
                use super::*;

                pub(super) static SLOT: AtomicPtr<c_void> = AtomicPtr::new(missing as *mut c_void);

                #[cfg(target_arch = "x86_64")]
                std::arch::global_asm!(
                    concat!(".globl ", stringify!($name)),
                    concat!(".hidden ", stringify!($name)),
                    concat!(".type ", stringify!($name), ",@function"),
                    concat!(stringify!($name), ":"),
                    "jmp qword ptr [rip + {slot}]",
                    slot = sym SLOT,
                );

                #[cfg(target_arch = "aarch64")]
                std::arch::global_asm!(
                    concat!(".globl ", stringify!($name)),
                    concat!(".hidden ", stringify!($name)),
                    concat!(".type ", stringify!($name), ",@function"),
                    concat!(stringify!($name), ":"),
                    "adrp x16, {slot}",
                    "ldr x16, [x16, :lo12:{slot}]",
                    "br x16",
                    slot = sym SLOT,
                );
            }
        )*

        const ENTRIES: &[(&CStr, &AtomicPtr<c_void>)] = &[$((
            match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => panic!("a name ends with its only zero"),
            },
            &$name::SLOT,
        )),*];
    };
}

// All that `cl-sys` declares of OpenCL 1.2.
functions! {
    clGetPlatformIDs clGetPlatformInfo clGetDeviceIDs clGetDeviceInfo clCreateSubDevices clRetainDevice
    clReleaseDevice clCreateContext clCreateContextFromType clRetainContext clReleaseContext clGetContextInfo
    clCreateCommandQueue clRetainCommandQueue clReleaseCommandQueue clGetCommandQueueInfo clCreateBuffer
    clCreateSubBuffer clCreateImage2D clCreateImage3D clCreateImage clRetainMemObject clReleaseMemObject
    clGetSupportedImageFormats clGetMemObjectInfo clGetImageInfo clSetMemObjectDestructorCallback clCreateSampler
    clRetainSampler clReleaseSampler clGetSamplerInfo clCreateProgramWithSource clCreateProgramWithBinary
    clCreateProgramWithBuiltInKernels clRetainProgram clReleaseProgram clBuildProgram clUnloadCompiler
    clCompileProgram clLinkProgram clGetProgramInfo clGetProgramBuildInfo clCreateKernel clCreateKernelsInProgram
    clRetainKernel clReleaseKernel clSetKernelArg clGetKernelInfo clGetKernelArgInfo clGetKernelWorkGroupInfo
    clWaitForEvents clGetEventInfo clCreateUserEvent clRetainEvent clReleaseEvent clSetUserEventStatus
    clSetEventCallback clGetEventProfilingInfo clFlush clFinish clEnqueueReadBuffer clEnqueueReadBufferRect
    clEnqueueWriteBuffer clEnqueueWriteBufferRect clEnqueueFillBuffer clEnqueueCopyBuffer clEnqueueCopyBufferRect
    clEnqueueReadImage clEnqueueWriteImage clEnqueueFillImage clEnqueueCopyImage clEnqueueCopyImageToBuffer
    clEnqueueCopyBufferToImage clEnqueueMapBuffer clEnqueueMapImage clEnqueueUnmapMemObject
    clEnqueueMigrateMemObjects clEnqueueNDRangeKernel clEnqueueTask clEnqueueNativeKernel clEnqueueMarker
    clEnqueueMarkerWithWaitList clEnqueueWaitForEvents clEnqueueBarrierWithWaitList clEnqueueBarrier
    clGetExtensionFunctionAddress clGetExtensionFunctionAddressForPlatform clCreateFromGLBuffer
    clCreateFromGLTexture clGetGLObjectInfo clGetGLTextureInfo clCreateFromGLRenderbuffer
    clEnqueueAcquireGLObjects clEnqueueReleaseGLObjects clGetGLContextInfoKHR clCreateFromGLTexture2D
    clCreateFromGLTexture3D
}
