//! The shop's connector against a scripted shop, exact wire shapes, and the emulator.

mod emulator;
mod fake;
mod feed;
