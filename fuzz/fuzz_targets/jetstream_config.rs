//! Stream configurations in JSON: any bytes are read or refused, and what is stored is read again as it was.
#![no_main]

use headwater_server::jetstream::config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, &[u8])| {
    let (is_strict, body) = input;
    let Ok(request) = config::parse(body, is_strict) else { return };
    // What is not built is refused before anything is stored.
    let config = config::StreamConfig { unbuilt: config::Unbuilt::default(), ..request.config };
    let stored = serde_json::to_vec(&config).expect("it is stored as JSON");
    let again = config::from_stored(&stored);
    assert_eq!(again.as_ref(), Ok(&config), "{}", String::from_utf8_lossy(&stored));
});
