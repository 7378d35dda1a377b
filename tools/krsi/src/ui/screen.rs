// SPDX-License-Identifier: GPL-2.0

//! The whole terminal, for as long as a [`Screen`] lives.

use crossterm::{
    cursor,
    event::{self, Event, KeyCode, KeyModifiers},
    execute, queue, style, terminal,
};
use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

/// The terminal, in the mode that keys arrive one by one and the old contents are put aside.
///
/// # Invariants
///
/// While one exists the terminal is in that mode; dropping it, in a panic too, restores it.
pub struct Screen(());

impl Screen {
    pub fn new() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        // From here on drop() undoes what was done.
        let screen = Self(());
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }

    /// Shows `text`, cut to the size of the terminal.
    pub fn show(&mut self, text: &str) -> io::Result<()> {
        // Serial lines do not know their size.
        let rows = match terminal::size()? {
            (_, 0) => 24,
            (_, rows) => rows,
        };
        let mut out = io::stdout().lock();
        queue!(
            out,
            terminal::BeginSynchronizedUpdate,
            terminal::DisableLineWrap,
            cursor::MoveTo(0, 0)
        )?;
        for (row, line) in (0..rows).zip(text.lines()) {
            queue!(
                out,
                cursor::MoveTo(0, row),
                style::Print(line),
                style::ResetColor,
                terminal::Clear(terminal::ClearType::UntilNewLine)
            )?;
        }
        let used = u16::try_from(text.lines().count()).unwrap_or(u16::MAX);
        if used < rows {
            queue!(
                out,
                cursor::MoveTo(0, used),
                terminal::Clear(terminal::ClearType::FromCursorDown)
            )?;
        }
        queue!(
            out,
            terminal::EnableLineWrap,
            terminal::EndSynchronizedUpdate
        )?;
        out.flush()
    }

    /// Waits for at most `time`; true if the user wants to end.
    pub fn wait(&mut self, time: Duration) -> io::Result<bool> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if !event::poll(left)? {
                return Ok(false);
            }
            let Event::Key(key) = event::read()? else {
                continue;
            };
            let control = key.modifiers.contains(KeyModifiers::CONTROL);
            match key.code {
                KeyCode::Char('q') | KeyCode::Esc => return Ok(true),
                KeyCode::Char('c') if control => return Ok(true),
                _ => {}
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nothing left to try if this fails.
        let _ = execute!(
            io::stdout(),
            terminal::EnableLineWrap,
            cursor::Show,
            terminal::LeaveAlternateScreen
        );
        let _ = terminal::disable_raw_mode();
    }
}
