//! The flags that several verbs share. A key of the configuration file has the same name and the same meaning.

mod count;
mod receive;
mod tls;
mod value;

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, FromArgMatches};

pub(crate) use self::count::CountArgs;
pub(crate) use self::receive::{ReceiveArgs, RequestLimits};
pub(crate) use self::tls::{PeerCertificateArgs, PeerTlsArgs};
use crate::cli::LogArgs;
use crate::config_file::ConfigFile;
use crate::destinations::Destinations;

/// What every process that runs takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProcessArgs {
    /// A TOML file with settings; its keys are the names of these flags, which win over it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) logs: LogArgs,
}

/// A verb whose flags may stand in a file.
pub(crate) trait Configured: Args + FromArgMatches + Clone {
    /// The flags of every process.
    fn process(&self) -> &ProcessArgs;

    /// Where it exports to; none for a verb that exports nothing.
    fn exports(&mut self) -> Option<&mut CountArgs> {
        None
    }
}

/// The settings of the file named by `--config`, overridden by those of `command_line` (the flags behind the verb).
pub(crate) fn configured<A: Configured>(args: A, command_line: impl Iterator<Item = OsString>) -> anyhow::Result<A> {
    let Some(path) = args.process().config.clone() else { return Ok(with_destinations(args, Destinations::default())) };
    let verb = A::augment_args(clap::Command::new("shardset").no_binary_name(true));
    let file = ConfigFile::read(&path, &verb)?;
    parse::<A>(&verb, file.flags.clone())
        .with_context(|| format!("the configuration file {} can not be used", path.display()))?;
    let both = parse::<A>(&verb, file.flags.into_iter().chain(command_line))?;
    Ok(with_destinations(both, file.destinations))
}

fn parse<A: Configured>(verb: &clap::Command, flags: impl IntoIterator<Item = OsString>) -> anyhow::Result<A> {
    Ok(A::from_arg_matches(&verb.clone().try_get_matches_from(flags)?)?)
}

/// URLs on the command line take the place of a file's destinations.
fn with_destinations<A: Configured>(mut args: A, of_file: Destinations) -> A {
    if let Some(count) = args.exports() {
        let named = Destinations::of_urls(&count.remote_write, &count.export_otlp);
        count.destinations = if named.all().next().is_some() { named } else { of_file };
    }
    args
}
