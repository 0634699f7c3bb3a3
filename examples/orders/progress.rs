//! What a person sees while orders are fulfilled, and when they are.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::order::Outcome;

/// How often a bar is drawn.
const BAR_EVERY: Duration = Duration::from_millis(100);
/// How often a plain line is written, where there is no terminal to draw on.
const LINE_EVERY: Duration = Duration::from_secs(1);
const BAR_WIDTH: usize = 30;

/// Counts what has ended and shows it on the standard error.
#[derive(Debug)]
pub struct Progress {
    total: usize,
    ended: usize,
    /// Ended in earlier sessions.
    before: usize,
    outcomes: BTreeMap<&'static str, usize>,
    began: Instant,
    drawn: Option<Instant>,
    terminal: bool,
}

impl Progress {
    pub fn new(total: usize) -> Self {
        Self {
            total,
            ended: 0,
            before: 0,
            outcomes: BTreeMap::new(),
            began: Instant::now(),
            drawn: None,
            terminal: io::stderr().is_terminal(),
        }
    }

    /// An order had ended in an earlier session.
    pub fn ended_before(&mut self, outcome: &Outcome) {
        self.before += 1;
        self.count(outcome);
    }

    /// An order has ended.
    pub fn ended(&mut self, outcome: &Outcome) {
        self.count(outcome);
    }

    fn count(&mut self, outcome: &Outcome) {
        self.ended += 1;
        *self.outcomes.entry(outcome.name()).or_default() += 1;
    }

    pub fn is_complete(&self) -> bool {
        self.ended == self.total
    }

    /// Draws, if it is time to.
    pub fn tick(&mut self) {
        let every = if self.terminal { BAR_EVERY } else { LINE_EVERY };
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= every) {
            self.draw();
        }
    }

    /// Draws now, for the last time.
    pub fn finish(&mut self) {
        self.draw();
        if self.terminal {
            show("\n");
        }
    }

    fn draw(&mut self) {
        self.drawn = Some(Instant::now());
        let line = self.line();
        if self.terminal {
            show(&format!("\r{} {line}\x1b[K", bar(self.ended, self.total)));
        } else {
            show(&format!("{line}\n"));
        }
    }

    fn line(&self) -> String {
        let mut line = format!(
            "{} of {} orders ended, {:.0}/s",
            self.ended,
            self.total,
            self.per_second()
        );
        for (outcome, count) in &self.outcomes {
            let _ = write!(line, ", {count} {outcome}");
        }
        line
    }

    fn per_second(&self) -> f64 {
        let ended = self.ended - self.before;
        ended as f64 / self.began.elapsed().as_secs_f64().max(0.001)
    }

    /// What became of the orders, in a few lines.
    pub fn summary(&self, retries: usize) -> String {
        let mut text = format!("{} of {} orders ended\n", self.ended, self.total);
        for (outcome, count) in &self.outcomes {
            let _ = writeln!(text, "  {outcome:<14}{count:>7}");
        }
        let _ = writeln!(text, "  {:<14}{retries:>7}", "retries");
        let took = self.began.elapsed().as_secs_f64();
        let _ = write!(text, "{} in this session, ", self.ended - self.before);
        let _ = writeln!(text, "in {took:.2} s: {:.0} workflows/s", self.per_second());
        text
    }
}

fn bar(ended: usize, total: usize) -> String {
    // Nothing to do is done.
    let filled = (ended * BAR_WIDTH).checked_div(total).unwrap_or(BAR_WIDTH);
    format!("[{:<BAR_WIDTH$}]", "#".repeat(filled))
}

/// Progress that cannot be shown is no reason to stop.
fn show(text: &str) {
    let mut stderr = io::stderr().lock();
    drop(stderr.write_all(text.as_bytes()));
    drop(stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_empty_at_first_and_full_at_the_end() {
        assert_eq!(bar(0, 7), format!("[{}]", " ".repeat(BAR_WIDTH)));
        assert_eq!(bar(7, 7), format!("[{}]", "#".repeat(BAR_WIDTH)));
        assert_eq!(bar(0, 0), format!("[{}]", "#".repeat(BAR_WIDTH)));
    }

    #[test]
    fn the_summary_counts_outcomes_of_all_sessions() {
        let mut progress = Progress::new(3);
        progress.ended_before(&Outcome::Shipped);
        progress.ended(&Outcome::Shipped);
        progress.ended(&Outcome::Declined);
        assert!(progress.is_complete());
        let summary = progress.summary(4);
        assert!(summary.contains("shipped             2\n"), "{summary}");
        assert!(summary.contains("retries             4\n"), "{summary}");
        assert!(summary.contains("2 in this session"), "{summary}");
    }
}
