//! The plumbing: transport, auth, retry, limits, paging, redaction. Knows no vendor.
