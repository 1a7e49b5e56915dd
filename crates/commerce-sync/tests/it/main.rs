//! The program from outside: arguments in, lines and exit code out.

mod config_errors;
