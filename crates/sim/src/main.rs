//! Runs seeds: `--seeds N` from `--from S` on, or one `--seed S` with its event log.

mod command;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    command::Arguments::parse().run()
}
