//! The program: reads the command line, and ends with the code of the verb.

use std::io::IsTerminal as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let terminal = std::io::stderr().is_terminal();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the runtime cannot be started: {error}");
            return ExitCode::from(1);
        }
    };
    let mut out = std::io::stdout();
    let mut err = std::io::stderr();
    let stop = commerce_sync::interrupted();
    let code = runtime.block_on(commerce_sync::main(std::env::args_os(), &mut out, &mut err, terminal, stop));
    ExitCode::from(code)
}
