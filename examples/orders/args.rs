//! The command line.

use std::path::PathBuf;

use crate::input::Source;

/// What `--help` prints.
pub const USAGE: &str = "\
Fulfils orders, each as a durable workflow. Kill it at any time: the same command goes on.

usage: orders [audit | worker] [--config FILE] [--input FILE] [--data DIR] [--strict]

  audit         compare input, ledger and stored results: what is lost or doubled?
  worker        host services and workflow for what others start, until a signal; needs --config
  --config FILE what to run on, as docs/configuration.md tells. Without it: a store in --data, all
                in this process. With it, `orders` only starts orders and waits; workers do the
                rest
  --input FILE  orders as JSON lines, `-` for the standard input (default: a sample of 1,000)
  --data DIR    where everything is kept (default: ./data/orders)
  --strict      start nothing when a line of the input is faulty (default: skip such lines)

exit code: 0 all is well; 1 something failed, or the audit found something;
           2 wrong arguments or input; 3 stopped by a signal before all orders had ended
";

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Run,
    Audit,
    /// Hosts what others start.
    Worker,
    Help,
    /// Hidden: prints orders, for the sample and for tests.
    MakeSample(u64),
}

/// The command line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args {
    pub action: Action,
    pub source: Source,
    pub data: PathBuf,
    /// What to run on, when it is not a store of this process.
    pub config: Option<PathBuf>,
    pub strict: bool,
}

/// Reads the arguments, without the program's name.
pub fn parse(given: impl IntoIterator<Item = String>) -> Result<Args, String> {
    let mut args = Args {
        action: Action::Run,
        source: Source::Sample,
        data: PathBuf::from("./data/orders"),
        config: None,
        strict: false,
    };
    let mut given = given.into_iter();
    let mut first = true;
    while let Some(arg) = given.next() {
        let (name, mut value) = match arg.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (arg.as_str(), None),
        };
        let mut take = |what: &str| match value.take().or_else(|| given.next()) {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(format!("`{name}` needs {what}")),
        };
        match name {
            "audit" if first => args.action = Action::Audit,
            "worker" if first => args.action = Action::Worker,
            "make-sample" if first => args.action = Action::MakeSample(count(&take("a count")?)?),
            "--input" => {
                args.source = match take("a file, or `-` for the standard input")? {
                    dash if dash == "-" => Source::Stdin,
                    path => Source::File(path),
                }
            }
            "--data" => args.data = PathBuf::from(take("a directory")?),
            "--config" => args.config = Some(PathBuf::from(take("a file")?)),
            "--strict" => args.strict = true,
            "--help" | "-h" => args.action = Action::Help,
            _ => {
                return Err(format!(
                    "`{arg}` is not known; write `audit` or `worker` first, or one of \
                     `--config FILE`, `--input FILE`, `--data DIR`, `--strict`, `--help`"
                ));
            }
        }
        if value.is_some() {
            return Err(format!("`{name}` takes no value; write `{name}` alone"));
        }
        first = false;
    }
    if args.action == Action::Worker && args.config.is_none() {
        return Err("`worker` needs `--config FILE`, which says what to run on".to_owned());
    }
    Ok(args)
}

fn count(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a count; write a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Args, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn defaults_are_the_sample_and_a_directory_below_data() {
        let args = parsed("").unwrap();
        assert_eq!(args.source, Source::Sample);
        assert_eq!(args.data, PathBuf::from("./data/orders"));
        assert!(!args.strict);
    }

    #[test]
    fn flags_come_in_any_order_and_both_spellings() {
        let args = parsed("audit --strict --data=d --input -").unwrap();
        assert_eq!(args.action, Action::Audit);
        assert_eq!(args.source, Source::Stdin);
        assert_eq!(args.data, PathBuf::from("d"));
        assert!(args.strict);
        let args = parsed("worker --config c.yml").unwrap();
        assert_eq!(args.action, Action::Worker);
        assert_eq!(args.config, Some(PathBuf::from("c.yml")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, said) in [
            ("--imput x", "`--imput` is not known"),
            (
                "--strict audit",
                "`audit` is not known; write `audit` or `worker` first",
            ),
            ("--data", "`--data` needs a directory"),
            ("--data=", "`--data` needs a directory"),
            ("--strict=yes", "`--strict` takes no value"),
            ("worker", "`worker` needs `--config FILE`"),
            ("make-sample x", "`x` is not a count"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
