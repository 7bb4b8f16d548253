//! Names the task that has overflowed its thread's stack, and the remedy, before the process ends.
//!
//! The guard page below a stack turns an overflow into SIGSEGV, which is handled on the thread's alternate stack.
//! Rust gives threads one, but not where a library has installed a handler before `main`, as UCX does below MPICH:
//! there they are given one here. The handler does only what POSIX allows in one.
//!
//! Any other SIGSEGV or SIGBUS goes to the handler that was installed before. Where that leaves the process to end, the
//! task is named, too, and a signal that the process sent to itself is raised again.

use crate::{message::Run, units::human_bytes};
use std::{cell::Cell, mem, ptr, sync::Once, sync::OnceLock};

/// The maximum length of what is printed of a worker's name.
const WHO_MAX: usize = 128;

/// What a thread's handler knows.
#[derive(Clone, Copy)]
struct Stack {
    /// The addresses of the guard below the stack.
    guard: (usize, usize),
    who: [u8; WHO_MAX],
    who_length: usize,
}

/// The name of a task, which lives as long as the task runs.
#[derive(Clone, Copy)]
struct Name(*const u8, usize);

thread_local! {
    static STACK: Cell<Stack> =
        const { Cell::new(Stack { guard: (0, 0), who: [0; WHO_MAX], who_length: 0 }) };
    static NAME: Cell<Name> = const { Cell::new(Name(ptr::null(), 0)) };
    /// The alternate stack of this thread, if it was given here.
    static OWN_STACK: Cell<Option<Vec<u8>>> = const { Cell::new(None) };
}

/// How large an alternate stack is: the registers of the widest vector units, and the handler, which needs little.
const ALTERNATE_BYTES: usize = 64 << 10;

/// The handlers that were installed before, of SIGSEGV and SIGBUS.
static BEFORE: OnceLock<[libc::sigaction; 2]> = OnceLock::new();
static REMEDY: OnceLock<String> = OnceLock::new();
const SIGNALS: [libc::c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// Notes where the stack of this thread ends, which is a thread of the worker `who`, and has so many bytes of stack.
pub(super) fn note_stack(who: &str, stack_bytes: usize) {
    install(stack_bytes);
    let mut stack = Stack { guard: guard(), who: [0; WHO_MAX], who_length: who.len().min(WHO_MAX) };
    stack.who[..stack.who_length].copy_from_slice(&who.as_bytes()[..stack.who_length]);
    STACK.set(stack);
    give_alternate_stack();
}

/// Forgets it: the thread ends, and its stack may become another one's.
pub(super) fn forget_stack() {
    STACK.set(Stack { guard: (0, 0), ..STACK.get() });
    if let Some(own) = OWN_STACK.take() {
        // SAFETY: the stack is this thread's, which is in no handler; it is freed when it is the alternate one no more.
        unsafe {
            let mut none: libc::stack_t = mem::zeroed();
            none.ss_flags = libc::SS_DISABLE;
            libc::sigaltstack(&raw const none, ptr::null_mut());
        }
        drop(own);
    }
}

/// Gives this thread an alternate stack if it has none.
fn give_alternate_stack() {
    let mut own = vec![0_u8; ALTERNATE_BYTES];
    // SAFETY: a record of numbers, for which all zeros are valid; the memory stays in place until `forget_stack`, or,
    // with the thread-local value, until the thread has ended.
    unsafe {
        let mut known: libc::stack_t = mem::zeroed();
        if libc::sigaltstack(ptr::null(), &raw mut known) != 0 || known.ss_flags & libc::SS_DISABLE == 0 {
            return;
        }
        let stack = libc::stack_t { ss_sp: own.as_mut_ptr().cast(), ss_flags: 0, ss_size: own.len() };
        if libc::sigaltstack(&raw const stack, ptr::null_mut()) == 0 {
            OWN_STACK.set(Some(own));
        }
    }
}

/// Runs `work`, which is part of these tasks.
pub(super) fn named<R>(run: &Run, work: impl FnOnce() -> R) -> R {
    struct Restore(Name);
    impl Drop for Restore {
        fn drop(&mut self) {
            NAME.set(self.0);
        }
    }
    let name = run.label.as_deref().unwrap_or_else(|| run.code.name());
    let _restore = Restore(NAME.replace(Name(name.as_ptr(), name.len())));
    work()
}

/// The addresses of the guard below this thread's stack; none if the system does not tell.
fn guard() -> (usize, usize) {
    let (mut low, mut size, mut guard) = (ptr::null_mut(), 0, 0);
    // SAFETY: the attributes are written by the first call, read by the next two, and freed by the last one.
    let is_known = unsafe {
        let mut attributes: libc::pthread_attr_t = mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
            return (0, 0);
        }
        let is_known = libc::pthread_attr_getguardsize(&raw const attributes, &raw mut guard) == 0
            && libc::pthread_attr_getstack(&raw const attributes, &raw mut low, &raw mut size) == 0;
        libc::pthread_attr_destroy(&raw mut attributes);
        is_known
    };
    // Some C libraries count the guard to the stack.
    let low = low as usize;
    if is_known { (low.saturating_sub(guard), low + guard) } else { (0, 0) }
}

fn install(stack_bytes: usize) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let remedy = format!(
            " has overflowed its stack of {}: set a larger one with MANIPLE_STACK_SIZE or Builder::stack_size\n",
            human_bytes(stack_bytes as u64)
        );
        let _ = REMEDY.set(remedy);
        // SAFETY: a record of numbers, for which all zeros are valid; the handler does what handlers may do.
        unsafe {
            let mut before: [libc::sigaction; 2] = mem::zeroed();
            for (signal, before) in SIGNALS.into_iter().zip(&mut before) {
                libc::sigaction(signal, ptr::null(), before);
            }
            let _ = BEFORE.set(before);
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            for signal in SIGNALS {
                libc::sigaction(signal, &raw const action, ptr::null_mut());
            }
        }
    });
}

extern "C" fn handle(signal: libc::c_int, information: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system gives a record of this signal.
    let (address, code, sender) =
        unsafe { ((*information).si_addr() as usize, (*information).si_code, (*information).si_pid()) };
    let stack = STACK.get();
    if (stack.guard.0..stack.guard.1).contains(&address) {
        say(&stack, REMEDY.get().map_or("", String::as_str));
        // SAFETY: this is allowed in a handler.
        unsafe { libc::abort() };
    }
    // SAFETY: as the system would have called it.
    unsafe { handle_as_before(signal, information, context) };
    if is_ours(signal) {
        return;
    }
    // That handler has given up: the process ends when this has returned and the access is tried again.
    let is_task = stack.who_length > 0 && !NAME.get().0.is_null();
    // SAFETY: this is allowed in a handler.
    let is_own = code > 0 || sender == unsafe { libc::getpid() };
    if is_task && is_own {
        say(&stack, if signal == libc::SIGSEGV { ENDED_BY_SEGV } else { ENDED_BY_BUS });
    }
    // No access is tried again where the signal was sent.
    if code <= 0 {
        // SAFETY: this is allowed in a handler.
        unsafe { libc::raise(signal) };
    }
}

const ENDED_BY_SEGV: &str = " has ended its process by SIGSEGV\n";
const ENDED_BY_BUS: &str = " has ended its process by SIGBUS\n";

/// Tells of the task that runs on this thread, as handlers may.
fn say(stack: &Stack, words: &str) {
    let Name(name, length) = NAME.get();
    let name: &[u8] = match name.is_null() {
        true => b"a part of a task",
        // SAFETY: the name lives as long as the task, which has not ended.
        false => unsafe { std::slice::from_raw_parts(name, length) },
    };
    let pieces = [b"Error: ", &stack.who[..stack.who_length], b": ", name, words.as_bytes()];
    let pieces = pieces.map(|piece| libc::iovec { iov_base: piece.as_ptr() as *mut _, iov_len: piece.len() });
    // SAFETY: the call is allowed in a handler; the pieces are borrowed above.
    unsafe { libc::writev(libc::STDERR_FILENO, pieces.as_ptr(), pieces.len() as libc::c_int) };
}

/// Calls the handler that was installed before; without one the default action is set.
///
/// # Safety
///
/// As for the handler of a signal.
unsafe fn handle_as_before(
    signal: libc::c_int,
    information: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    let before = BEFORE.get().zip(SIGNALS.iter().position(|known| *known == signal));
    // SAFETY: the function is called with what its flags say.
    unsafe {
        match before.map(|(before, at)| before[at]) {
            Some(before) if ![libc::SIG_DFL, libc::SIG_IGN].contains(&before.sa_sigaction) => {
                if before.sa_flags & libc::SA_SIGINFO != 0 {
                    type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
                    mem::transmute::<usize, Handler>(before.sa_sigaction)(signal, information, context);
                } else {
                    mem::transmute::<usize, extern "C" fn(libc::c_int)>(before.sa_sigaction)(signal);
                }
            }
            _ => drop(libc::signal(signal, libc::SIG_DFL)),
        }
    }
}

/// Whether a signal still comes here. Handlers that know nothing of a fault, as Rust's own and LLVM's, put the action
/// that was there before themselves in place and return.
fn is_ours(signal: libc::c_int) -> bool {
    // SAFETY: the call is allowed in a handler, and writes the record, for which all zeros are valid.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        libc::sigaction(signal, ptr::null(), &raw mut action) != 0
            || action.sa_sigaction == handle as *const () as usize
    }
}
