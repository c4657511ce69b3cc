//! Configuration files: any text is read or refused with a place, in bounded time and depth.
#![no_main]

use headwater_server::config::file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // Other files are not part of the input.
    if text.contains("include") {
        return;
    }
    if let Err(error) = file::from_text(text) {
        assert!(!error.0.is_empty(), "a refusal without a reason");
        for refusal in &error.0 {
            assert!(!refusal.reason.is_empty());
            assert!(refusal.place.line <= text.lines().count() + 1, "{refusal}");
        }
    }
});
