//! What proves the proofs: each trial of the conformance suite fails on a connector with the bug that it is for, and
//! the reference connectors play out each fault as they say.

#[cfg(test)]
mod faults;
#[cfg(test)]
mod mutant;
#[cfg(test)]
mod mutants;
