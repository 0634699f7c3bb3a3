//! The benchmark: one workload a run, one line of JSON on standard output.
//!
//! ```text
//! cargo run --release --example bench -- w2 --backend embedded --count 20000 --in-flight 200
//! ```
//!
//! Times on a shared machine mean little, so each line also says what one workflow cost: CPU,
//! syncs, rows and bytes. Workloads are described in `workload`, flags in `options`.

mod cluster;
mod flows;
mod measure;
mod options;
mod workload;

use std::io::Write as _;
use std::process::ExitCode;

use measure::Report;
use options::{Options, USAGE};

/// Whatever went wrong; its text is all that a person needs.
type Failed = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let begin = std::time::Instant::now();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            eprintln!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("{wrong}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match workload::run(&options, begin).await {
        Ok(report) => match print(report.as_ref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        },
        Err(error) => fail(&*error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("the benchmark failed: {error}");
    ExitCode::FAILURE
}

fn print(report: Option<&Report>) -> std::io::Result<()> {
    let Some(report) = report else {
        return Ok(());
    };
    let line = serde_json::to_string(report)?;
    writeln!(std::io::stdout(), "{line}")
}
