//! The Headwater server.
