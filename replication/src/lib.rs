//! Replication plugins over Headwater streams.
