// SPDX-License-Identifier: GPL-2.0-only

//! The grammar of keepalived.conf: lines of words, some of which open a block in braces.

use crate::import::note::{Kind, Notes};

/// Deepest nesting that is read: keepalived itself has five levels.
const DEPTH_MAX: usize = 32;

/// A line, and the block that it opens.
#[derive(Debug, Default)]
pub(super) struct Item {
    pub(super) line: usize,
    pub(super) words: Vec<String>,
    pub(super) block: Vec<Item>,
}

impl Item {
    /// The keyword.
    pub(super) fn keyword(&self) -> &str {
        self.word(0)
    }

    /// A word by its number, or nothing.
    pub(super) fn word(&self, number: usize) -> &str {
        self.words.get(number).map_or("", String::as_str)
    }

    /// The first item of its block with a keyword.
    pub(super) fn get(&self, keyword: &str) -> Option<&Item> {
        self.block.iter().find(|item| item.keyword() == keyword)
    }
}

/// A word or a brace, with its line.
enum Token {
    Word(String),
    Open,
    Close,
    EndOfLine,
}

/// The items of a file; braces without their counterparts are told.
pub(super) fn parse(text: &str, notes: &mut Notes) -> Vec<Item> {
    // The last is the block that is being read, the first the file.
    let mut open = vec![Item::default()];
    let mut now = Item::default();
    for (line, token) in tokens(text) {
        match token {
            Token::Word(word) => {
                now.line = line;
                now.words.push(word);
            }
            Token::EndOfLine => end_item(&mut open, &mut now),
            Token::Open if open.len() == DEPTH_MAX => {
                notes.at(Kind::NotUnderstood, line, "blocks are nested too deep");
            }
            Token::Open => {
                // The brace may stand on the line after its keyword.
                let mut item = match now.words.is_empty() {
                    false => std::mem::take(&mut now),
                    true => take_last(&mut open),
                };
                if item.words.is_empty() {
                    item.line = line;
                }
                open.push(item);
            }
            Token::Close => {
                end_item(&mut open, &mut now);
                if open.len() > 1 {
                    close(&mut open);
                } else {
                    notes.at(
                        Kind::NotUnderstood,
                        line,
                        "a closing brace that nothing opens",
                    );
                }
            }
        }
    }
    end_item(&mut open, &mut now);
    while open.len() > 1 {
        let line = open.last().map_or(0, |item| item.line);
        notes.at(Kind::NotUnderstood, line, "the block has no closing brace");
        close(&mut open);
    }
    open.pop().map(|file| file.block).unwrap_or_default()
}

/// The last item of the block that is read, to which a brace on a line of its own belongs; an empty one if it has a block.
fn take_last(open: &mut [Item]) -> Item {
    let block = open.last_mut().map(|outer| &mut outer.block);
    match block {
        Some(block) if block.last().is_some_and(|last| last.block.is_empty()) => {
            block.pop().unwrap_or_default()
        }
        _ => Item::default(),
    }
}

fn end_item(open: &mut [Item], now: &mut Item) {
    if now.words.is_empty() {
        return;
    }
    if let Some(block) = open.last_mut() {
        block.block.push(std::mem::take(now));
    }
}

fn close(open: &mut Vec<Item>) {
    if let (Some(item), Some(outer)) = (open.pop(), open.last_mut()) {
        outer.block.push(item);
    }
}

fn tokens(text: &str) -> Vec<(usize, Token)> {
    let mut tokens = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for token in words(line) {
            tokens.push((index + 1, token));
        }
        tokens.push((index + 1, Token::EndOfLine));
    }
    tokens
}

/// The tokens of a line; a comment begins with `#` or `!`, quotes keep blanks together.
fn words(line: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#' | '!') => break,
            (None, '{' | '}') => {
                tokens.extend(word.take().map(Token::Word));
                tokens.push(if c == '{' { Token::Open } else { Token::Close });
            }
            _ if c.is_whitespace() => tokens.extend(word.take().map(Token::Word)),
            _ => word.get_or_insert_default().push(c),
        }
    }
    tokens.extend(word.map(Token::Word));
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_open_where_they_may() {
        let mut notes = Notes::default();
        let items = parse("a b { c 1 }\nd\n{\n  e \"f g\" # h\n}\n", &mut notes);
        assert!(notes.sorted().is_empty());
        let [a, d] = &items[..] else {
            panic!("{items:?}")
        };
        assert_eq!((a.line, a.keyword(), a.word(1)), (1, "a", "b"));
        assert_eq!(a.get("c").unwrap().word(1), "1");
        assert_eq!((d.line, d.get("e").unwrap().word(1)), (2, "f g"));
    }

    #[test]
    fn braces_that_lack_their_counterpart_are_told() {
        for (text, line) in [("a {\nb\n", 1), ("a\n}\n", 2)] {
            let mut notes = Notes::default();
            parse(text, &mut notes);
            assert_eq!(notes.sorted()[0].lines, [line], "{text:?}");
        }
        let mut notes = Notes::default();
        parse(&"a {".repeat(10_000), &mut notes);
        assert!(!notes.sorted().is_empty());
    }
}
