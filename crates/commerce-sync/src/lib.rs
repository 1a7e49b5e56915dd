//! The SDK seen from a shell: runs flows from a config file and answers operators.
