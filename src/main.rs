//! `aside`: reads the arguments, runs the command, and says with its exit code how it went.

use std::process::ExitCode;

/// Gives memory back that is no longer used, and loses little of it to gaps: see ARCHITECTURE.md.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    aside::commands::main()
}
