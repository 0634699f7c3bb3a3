//! One process for each directory: an advisory lock that says who holds it.
//!
//! The system releases the lock when its process ends, however it ends, so a lock file that is left
//! over never has to be removed by hand.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::error::OpenError;

const LOCK_FILE: &str = "infinitic.lock";

/// The directory is ours until this is dropped.
#[derive(Debug)]
pub(super) struct DirLock {
    // Closing the file releases the lock.
    _file: File,
}

impl DirLock {
    /// Takes the lock and writes down who has it.
    pub(super) fn acquire(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join(LOCK_FILE);
        let failed = |source| OpenError::io("lock", &path, source);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse {
                    dir: dir.to_path_buf(),
                    owner: owner(&path),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let who = format!("process {} on {}", std::process::id(), host());
        file.set_len(0)
            .and_then(|()| file.write_all(who.as_bytes()))
            .map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// The lock's owner, as far as it has written itself down. The file's time is the time of its
/// start.
fn owner(path: &Path) -> String {
    let who = fs::read_to_string(path).unwrap_or_default();
    let who = if who.is_empty() {
        "another process"
    } else {
        who.trim()
    };
    match fs::metadata(path).and_then(|meta| meta.modified()) {
        Ok(since) => format!("{who} since {}", utc(since)),
        Err(_) => who.to_owned(),
    }
}

fn host() -> String {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .unwrap_or_else(|| "this machine".to_owned())
}

/// A point in time as people read it; whole seconds, UTC.
fn utc(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years are counted from March, so that the leap day is the last of its year; an era is 400
    // years.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day_of_month:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_written_as_people_read_them() {
        let check = |seconds, text| {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        };
        check(0, "1970-01-01 00:00:00 UTC");
        check(951_782_399, "2000-02-28 23:59:59 UTC");
        check(951_782_400, "2000-02-29 00:00:00 UTC");
        check(1_709_251_200, "2024-03-01 00:00:00 UTC");
        check(1_798_761_599, "2026-12-31 23:59:59 UTC");
    }

    #[test]
    fn the_second_is_told_who_was_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = DirLock::acquire(dir.path()).unwrap();
        let text = DirLock::acquire(dir.path()).unwrap_err().to_string();
        assert!(
            text.contains(&format!("process {}", std::process::id())),
            "{text}"
        );
        assert!(text.contains(" since 2"), "{text}");
        drop(first);
        DirLock::acquire(dir.path()).unwrap();
    }
}
