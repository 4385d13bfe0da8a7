//! One child process: its output line by line, its end, or its end by force.
//!
//! **G1** Nothing that a child started outlives the call, nor outlives us: the child leads a process
//! group, and a guard kills that group when the call returns *or when this program dies*, however it
//! dies. The guard is a shell that waits for the end of its input; the kernel closes that pipe for us.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often the child is looked at while it says nothing.
const LOOK: Duration = Duration::from_millis(100);
/// How long output may still come from what an ended child left behind.
const LINGER: Duration = Duration::from_secs(2);

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Exited(ExitStatus),
    TimedOut,
}

impl End {
    pub(crate) fn is_success(self) -> bool {
        matches!(self, End::Exited(status) if status.success())
    }
}

/// Runs `command` for at most `limit`; every line it prints (both streams, in order) goes to `line`.
pub(crate) fn run(command: &mut Command, limit: Duration, line: &mut dyn FnMut(&str)) -> io::Result<End> {
    let started = Instant::now();
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer).process_group(0);
    let mut child = command.spawn()?;
    // The command holds our ends of the pipe; they must close for the reader to see the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut guard = Some(Guard::over(&child)?); // G1

    let (send, lines) = channel();
    let reading = thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_string();
            if send.send(text).is_err() {
                break;
            }
            bytes.clear();
        }
    });

    let mut end = None;
    let mut stop_at = started + limit;
    loop {
        match lines.recv_timeout(LOOK) {
            Ok(text) => line(&text),
            Err(RecvTimeoutError::Disconnected) if end.is_some() => break,
            Err(RecvTimeoutError::Disconnected) => thread::sleep(LOOK / 20),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if end.is_none()
            && let Some(status) = child.try_wait()?
        {
            end = Some(End::Exited(status));
            stop_at = Instant::now() + LINGER;
        }
        if Instant::now() >= stop_at && guard.is_some() {
            end.get_or_insert(End::TimedOut);
            guard = None; // G1: now its pipe closes too, and the loop ends above
        }
    }
    drop(guard);
    child.wait()?;
    let _ = reading.join();
    end.ok_or_else(|| io::Error::other("the child ended unseen"))
}

/// Kills the process group of a child when dropped, or when we are gone.
struct Guard(Child);

impl Guard {
    fn over(child: &Child) -> io::Result<Guard> {
        let kill = format!("read -r _; kill -s KILL -- -{} 2>/dev/null", child.id());
        let shell = Command::new("sh")
            .args(["-c", &kill])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Guard(shell))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.0.stdin.take() {
            let _ = pipe.write_all(b"\n");
        }
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> (End, Vec<String>) {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        let end = run(command.args(["-c", script]), limit, &mut |line| lines.push(line.to_string()));
        (end.unwrap(), lines)
    }

    #[test]
    fn both_streams_come_in_order_and_the_exit_code_is_kept() {
        let (end, lines) = shell("echo one; echo two >&2; echo three; exit 3", Duration::from_secs(20));
        assert_eq!(lines, ["one", "two", "three"]);
        assert!(!end.is_success());
        assert!(matches!(end, End::Exited(status) if status.code() == Some(3)));
    }

    /// Whether a process does not run any more; what nobody has collected yet is gone too.
    fn is_gone(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(')').is_none_or(|(_, state)| state.trim_start().starts_with(['Z', 'X']))
    }

    #[test]
    fn g1_a_hang_is_ended_with_everything_it_started() {
        let started = Instant::now();
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & echo $!; echo $$; sleep 600"]);
        let end = run(&mut command, Duration::from_secs(1), &mut |line| {
            assert!(!is_gone(line), "{line} runs");
            lines.push(line.to_string());
        });
        assert_eq!(end.unwrap(), End::TimedOut);
        assert!(started.elapsed() < Duration::from_secs(60));
        assert_eq!(lines.len(), 2);
        while !lines.iter().all(|pid| is_gone(pid)) {
            assert!(started.elapsed() < Duration::from_secs(60), "{lines:?} still run");
            thread::yield_now();
        }
    }

    #[test]
    fn g1_what_an_ended_child_left_behind_does_not_hold_us_up() {
        let started = Instant::now();
        let (end, lines) = shell("sleep 600 & echo done", Duration::from_secs(300));
        assert!(end.is_success());
        assert_eq!(lines, ["done"]);
        assert!(started.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_line_without_an_end_and_bytes_that_are_no_text_are_lines_too() {
        let (_, lines) = shell(r"printf 'a\377b\nlast'", Duration::from_secs(20));
        assert_eq!(lines, ["a\u{fffd}b", "last"]);
    }
}
