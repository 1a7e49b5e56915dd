//! The rules. Each is a pure function from facts to problems.

pub mod dependencies;
pub mod documents;
pub mod licences;
pub mod manifests;
pub mod signatures;
pub mod sources;
pub mod text;
