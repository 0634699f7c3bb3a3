//! What an audit found, and how it is told.

use std::collections::BTreeMap;
use std::fmt;

/// What an audit found.
#[derive(Debug, Default)]
pub struct Report {
    pub input: usize,
    /// Orders by outcome.
    pub ended: BTreeMap<&'static str, usize>,
    pub open: usize,
    pub not_started: usize,
    /// Orders of the directory that the input does not have.
    pub elsewhere: usize,
    pub ledger_lines: usize,
    pub sessions: usize,
    pub killed: usize,
    pub retries: usize,
    /// Attempts that were made again because a kill had cut them.
    pub cut: usize,
    /// Remarks that are no findings.
    pub remarks: Vec<String>,
    pub lost: Vec<String>,
    pub doubled: Vec<String>,
}

impl Report {
    /// Whether nothing is lost or doubled.
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended: usize = self.ended.values().sum();
        writeln!(f, "{} orders in the input, {ended} ended", self.input)?;
        for (outcome, count) in &self.ended {
            writeln!(f, "  {outcome:<14}{count:>7}")?;
        }
        let rest = [
            ("open", self.open),
            ("not started", self.not_started),
            ("not in input", self.elsewhere),
        ];
        for (what, count) in rest.into_iter().filter(|(_, count)| *count > 0) {
            writeln!(f, "  {what:<14}{count:>7}")?;
        }
        writeln!(
            f,
            "{} lines in the ledger, {} sessions, of which {} killed or still running",
            self.ledger_lines, self.sessions, self.killed
        )?;
        writeln!(
            f,
            "{} retries, {} attempts repeated after a kill",
            self.retries, self.cut
        )?;
        for remark in &self.remarks {
            writeln!(f, "note: {remark}")?;
        }
        for lost in &self.lost {
            writeln!(f, "LOST: {lost}")?;
        }
        for doubled in &self.doubled {
            writeln!(f, "DOUBLED: {doubled}")?;
        }
        if self.open + self.not_started > 0 {
            writeln!(
                f,
                "not all orders have ended; the same command without `audit` goes on"
            )?;
        }
        match (self.lost.len(), self.doubled.len()) {
            (0, 0) => writeln!(f, "clean: nothing is lost, nothing is doubled"),
            (lost, doubled) => writeln!(f, "NOT clean: {lost} lost, {doubled} doubled"),
        }
    }
}
