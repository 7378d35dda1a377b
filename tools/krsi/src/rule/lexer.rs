// SPDX-License-Identifier: GPL-2.0

//! A line becomes words. Blanks end a word; a backslash makes the next character an ordinary one,
//! as auditctl has it for blanks, and so do quotes, as a shell has it for what is copied from one.

use super::error::{Span, Wrong};

/// A word, and where each of its characters was.
#[derive(Clone, Debug)]
pub struct Word {
    chars: Vec<char>,
    columns: Vec<usize>,
    /// Of the word with its quotes, for one without characters.
    whole: Span,
}

impl Word {
    pub fn text(&self) -> String {
        self.chars.iter().collect()
    }

    /// All of the word.
    pub fn span(&self) -> Span {
        self.whole
    }

    /// The word's first characters, `count` of them, and the rest.
    pub fn split_at(&self, count: usize) -> (Self, Self) {
        let part = |from: usize, to: usize| Self {
            chars: self.chars[from..to].to_vec(),
            columns: self.columns[from..to].to_vec(),
            whole: self.part(from, to),
        };
        (part(0, count), part(count, self.chars.len()))
    }

    /// The span of the characters from `start` to `end`, both counted in characters of the text.
    pub fn part(&self, start: usize, end: usize) -> Span {
        match (
            self.columns.get(start),
            self.columns[..end.max(start)].last(),
        ) {
            (Some(first), Some(last)) if start < end => Span {
                column: *first,
                width: last - first + 1,
            },
            // Nothing: where something should be.
            _ => Span {
                column: self
                    .columns
                    .get(start)
                    .copied()
                    .unwrap_or(self.whole.column + self.whole.width),
                width: 1,
            },
        }
    }
}

/// The words of a line; none if it is empty or a comment.
pub fn words(line: &str) -> Result<Vec<Word>, Wrong> {
    let mut words = Vec::new();
    let mut chars = (1..).zip(line.chars()).peekable();
    while let Some((start, first)) = chars.peek().copied() {
        if first.is_whitespace() {
            chars.next();
            continue;
        }
        // Only at the beginning: paths and keys may have it.
        if first == '#' && words.is_empty() {
            break;
        }
        let mut word = Word {
            chars: Vec::new(),
            columns: Vec::new(),
            whole: Span {
                column: start,
                width: 0,
            },
        };
        let mut quote: Option<(usize, char)> = None;
        while let Some((column, c)) = chars.peek().copied() {
            if c.is_whitespace() && quote.is_none() {
                break;
            }
            chars.next();
            word.whole.width = column - start + 1;
            match (c, quote) {
                ('\'' | '"', None) => quote = Some((column, c)),
                (_, Some((_, end))) if c == end => quote = None,
                // Within single quotes it is itself.
                ('\\', None | Some((_, '"'))) => {
                    let Some((column, escaped)) = chars.next() else {
                        let span = Span { column, width: 1 };
                        return Err(Wrong::new(
                            span,
                            "nothing follows the backslash",
                            "a character after it, or '\\\\' for a backslash",
                        ));
                    };
                    word.whole.width = column - start + 1;
                    word.chars.push(escaped);
                    word.columns.push(column);
                }
                _ => {
                    word.chars.push(c);
                    word.columns.push(column);
                }
            }
        }
        if let Some((column, quote)) = quote {
            let span = Span { column, width: 1 };
            let expected = format!("another {quote} before the end of the line");
            return Err(Wrong::new(span, "the quote does not end", expected));
        }
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        words(line).unwrap().iter().map(Word::text).collect()
    }

    #[test]
    fn splits() {
        assert_eq!(
            texts("  -w /etc/passwd\t-p wa "),
            ["-w", "/etc/passwd", "-p", "wa"]
        );
        assert_eq!(texts("# -w /etc"), [""; 0]);
        assert_eq!(texts("   "), [""; 0]);
        assert_eq!(texts("-k a#b #c"), ["-k", "a#b", "#c"]);
    }

    #[test]
    fn quotes_and_backslashes() {
        assert_eq!(texts(r"-w /a\ b"), ["-w", "/a b"]);
        assert_eq!(
            texts(r#"-F "path=/a b" 'c\d' e"f"'g'"#),
            ["-F", "path=/a b", "c\\d", "efg"]
        );
        assert_eq!(texts(r#""a\"b" ''"#), ["a\"b", ""]);
    }

    #[test]
    fn spans() {
        let words = words(r"-w /a\ b 'ü x'").unwrap();
        assert_eq!(
            words[1].span(),
            Span {
                column: 4,
                width: 5
            }
        );
        // Of "/a b": the blank was after a backslash.
        assert_eq!(
            words[1].part(2, 4),
            Span {
                column: 7,
                width: 2
            }
        );
        assert_eq!(
            words[1].part(0, 3),
            Span {
                column: 4,
                width: 4
            }
        );
        assert_eq!(
            words[2].part(0, 1),
            Span {
                column: 11,
                width: 1
            }
        );
        // Behind the end.
        assert_eq!(
            words[1].part(4, 4),
            Span {
                column: 9,
                width: 1
            }
        );
    }

    #[test]
    fn what_does_not_end() {
        assert_eq!(words("-w 'a").unwrap_err().span.column, 4);
        assert_eq!(words("-w a\\").unwrap_err().span.column, 5);
    }
}
