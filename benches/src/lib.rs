//! Workloads shared by the benchmarks.

/// An empty directory below `HEADWATER_BENCH_DIR`, or below the system's directory for temporary files.
///
/// # Panics
/// When it cannot be made.
pub fn directory() -> tempfile::TempDir {
    match std::env::var_os("HEADWATER_BENCH_DIR") {
        Some(parent) => tempfile::tempdir_in(parent),
        None => tempfile::tempdir(),
    }
    .unwrap_or_else(|error| panic!("a directory for the benchmark: {error}"))
}
