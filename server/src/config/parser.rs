//! The syntax of nats-server's configuration files.
//!
//! Entries are `key value`, `key: value` or `key = value`; values are maps `{}`, lists `[]`, quoted or bare text, block text
//! in parentheses, numbers with size suffixes, booleans, and `$NAME` for an earlier key of this or an outer block or for an
//! environment variable. `include file` puts another file's entries here. `#` and `//` start comments.
//! Depth, files and sizes are bounded.
//! Not here: what keys mean (`keys`).

use super::tree::{Entry, Map, Node, Place, Refusal, Value};
use super::value;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// Nested maps, lists, files and variables.
const DEPTH_MAX: usize = 64;
/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

type Result<T> = std::result::Result<T, Refusal>;
/// Finds environment variables.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads a file.
pub(super) fn parse_file(path: &Path, environment: Environment<'_>) -> Result<Map> {
    let at_start = Place { file: path.into(), line: 0, column: 0 };
    let text = read(path).map_err(|reason| Refusal::new(&at_start, reason))?;
    parse_text(&text, path, environment)
}

/// Reads text that stands in for a file of that path.
pub(super) fn parse_text(text: &str, path: &Path, environment: Environment<'_>) -> Result<Map> {
    let mut scopes = vec![Map::default()];
    let mut parser = Parser::new(text, path, environment, 0);
    parser.entries(&mut scopes, None)?;
    Ok(scopes.pop().unwrap_or_default())
}

/// The size is looked at while reading: a device says it has none and never ends.
fn read(path: &Path) -> std::result::Result<String, String> {
    let mut text = String::new();
    let read = File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| format!("cannot read it: {error}"))?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(format!("larger than {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

struct Parser<'a> {
    rest: &'a str,
    file: Arc<Path>,
    line: usize,
    column: usize,
    depth: usize,
    environment: Environment<'a>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, path: &Path, environment: Environment<'a>, depth: usize) -> Self {
        Self { rest: text, file: path.into(), line: 1, column: 1, depth, environment }
    }

    fn place(&self) -> Place {
        Place { file: self.file.clone(), line: self.line, column: self.column }
    }
    fn refuse<T>(&self, reason: impl Into<String>) -> Result<T> {
        Err(Refusal::new(&self.place(), reason))
    }
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next()?;
        self.rest = chars.as_str();
        if next == '\n' {
            (self.line, self.column) = (self.line + 1, 1);
        } else {
            self.column += 1;
        }
        Some(next)
    }
    fn take(&mut self, expected: char) -> bool {
        let is_there = self.peek() == Some(expected);
        if is_there {
            self.next();
        }
        is_there
    }
    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let before = self.rest;
        while self.peek().is_some_and(&accept) {
            self.next();
        }
        before.get(..before.len() - self.rest.len()).unwrap_or_default()
    }
    fn at_comment(&self) -> bool {
        self.rest.starts_with('#') || self.rest.starts_with("//")
    }
    /// Skips white space and comments, line ends too.
    fn skip(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            if !self.at_comment() {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }
    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { self.refuse("nested too deeply") } else { Ok(()) }
    }

    /// Entries up to `end`, into the innermost scope.
    fn entries(&mut self, scopes: &mut Vec<Map>, end: Option<char>) -> Result<()> {
        loop {
            self.skip();
            if self.take(',') || self.take(';') {
                continue;
            }
            match (self.peek(), end) {
                (None, None) => return Ok(()),
                (None, Some(end)) => {
                    return self.refuse(format!("unexpected end, {end:?} expected"));
                }
                (Some(next), Some(end)) if next == end => {
                    self.next();
                    return Ok(());
                }
                (Some('{' | '}' | '[' | ']' | '=' | ':'), _) => {
                    return self.refuse("a key expected");
                }
                _ => self.entry(scopes)?,
            }
        }
    }

    fn entry(&mut self, scopes: &mut Vec<Map>) -> Result<()> {
        let place = self.place();
        let key = match self.peek() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.take_while(|c| !c.is_whitespace() && !"=:{".contains(c)).to_owned(),
        };
        self.take_while(|c| c == ' ' || c == '\t');
        if key == "include" && !matches!(self.peek(), Some('=' | ':')) {
            return self.include(scopes);
        }
        if !self.take('=') {
            self.take(':');
        }
        self.skip();
        let value = self.value(scopes)?;
        if let Some(scope) = scopes.last_mut() {
            scope.set(Entry { key, place, value });
        }
        Ok(())
    }

    fn include(&mut self, scopes: &mut Vec<Map>) -> Result<()> {
        let place = self.place();
        let name = match self.peek() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.take_while(|c| !c.is_whitespace() && !",;}".contains(c)).to_owned(),
        };
        let path = self.file.parent().unwrap_or(Path::new("")).join(&name);
        let refuse = |reason: String| Refusal::new(&place, format!("include {name:?}: {reason}"));
        let text = read(&path).map_err(refuse)?;
        let mut parser = Parser::new(&text, &path, self.environment, self.depth);
        parser.enter()?;
        parser.entries(scopes, None)
    }

    fn value(&mut self, scopes: &mut Vec<Map>) -> Result<Value> {
        let place = self.place();
        let node = match self.peek() {
            None => return self.refuse("a value expected"),
            Some('{') => {
                self.next();
                self.enter()?;
                scopes.push(Map::default());
                self.entries(scopes, Some('}'))?;
                self.depth -= 1;
                Node::Map(scopes.pop().unwrap_or_default())
            }
            Some('[') => {
                self.next();
                self.enter()?;
                let list = self.list(scopes)?;
                self.depth -= 1;
                Node::List(list)
            }
            Some('(') => self.block()?,
            Some(quote @ ('"' | '\'')) => Node::String(self.quoted(quote)?),
            Some(',' | ';' | '}' | ']' | ')') => return self.refuse("a value expected"),
            Some(_) => self.bare(scopes, &place)?,
        };
        Ok(Value { node, place })
    }

    fn list(&mut self, scopes: &mut Vec<Map>) -> Result<Vec<Value>> {
        let mut list = Vec::new();
        loop {
            self.skip();
            if self.take(']') {
                return Ok(list);
            }
            if !self.take(',') {
                list.push(self.value(scopes)?);
            }
        }
    }

    /// Text between quotes. Double quotes know escapes, single ones do not.
    fn quoted(&mut self, quote: char) -> Result<String> {
        let start = self.place();
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(Refusal::new(&start, "a quote is not closed")),
                Some(c) if c == quote => return Ok(text),
                Some('\\') if quote == '"' => text.push(self.escape()?),
                Some(c) => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let place = self.place();
        match self.next() {
            Some('t') => Ok('\t'),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some(c @ ('"' | '\\')) => Ok(c),
            Some('x') => {
                let digits: String = self.next().into_iter().chain(self.next()).collect();
                let code = u8::from_str_radix(&digits, 16)
                    .map_err(|_| Refusal::new(&place, "two hexadecimal digits expected"))?;
                Ok(char::from(code))
            }
            _ => Err(Refusal::new(&place, "unknown escape")),
        }
    }

    /// Text in parentheses, up to a closing one on a line of its own.
    fn block(&mut self) -> Result<Node> {
        let start = self.place();
        self.next();
        let mut text = String::new();
        while !self.rest.is_empty() {
            let line = self.take_while(|c| c != '\n');
            if line.trim() == ")" {
                return Ok(Node::String(text.trim_matches('\n').to_owned()));
            }
            text.push_str(line);
            text.extend(self.next());
        }
        Err(Refusal::new(&start, "a parenthesis is not closed on a line of its own"))
    }

    /// An unquoted value: a variable, a number, a boolean, or text.
    fn bare(&mut self, scopes: &mut Vec<Map>, place: &Place) -> Result<Node> {
        let text = self.take_while(|c| !c.is_whitespace() && !",;]}".contains(c));
        match text.strip_prefix('$') {
            Some(name) if !name.starts_with("2a$") => self.variable(name, scopes, place),
            _ => Ok(plain(text)),
        }
    }

    fn variable(&mut self, name: &str, scopes: &mut Vec<Map>, place: &Place) -> Result<Node> {
        if let Some(value) = scopes.iter().rev().find_map(|scope| scope.get(name)) {
            return Ok(value.node.clone());
        }
        let Some(text) = (self.environment)(name) else {
            return Err(Refusal::new(place, format!("variable {name:?} is not defined")));
        };
        let mut parser = Parser::new(&text, &self.file, self.environment, self.depth);
        parser.enter()?;
        let refuse = |refusal: Refusal| {
            Refusal::new(place, format!("in environment variable {name:?}: {}", refusal.reason))
        };
        parser.skip();
        parser.value(scopes).map(|value| value.node).map_err(refuse)
    }
}

fn plain(text: &str) -> Node {
    if let Some(number) = value::integer(text) {
        return Node::Integer(number, text.to_owned());
    }
    if let Some(boolean) = value::boolean(text) {
        return Node::Boolean(boolean);
    }
    let is_decimal =
        text.contains('.') && text.chars().all(|c| c.is_ascii_digit() || ".-".contains(c));
    match text.parse() {
        Ok(number) if is_decimal => Node::Float(number),
        _ => Node::String(text.to_owned()),
    }
}

#[cfg(test)]
#[path = "parser_test.rs"]
mod tests;
