//! Questions to the user. They need a terminal; without one a command says what to write instead.
//! Not here: which questions there are (`stream::prompts`).

use super::error::{ClientError, Result};
use inquire::ui::{RenderConfig, Styled};
use inquire::validator::{ErrorMessage, Validation};
use inquire::{Confirm, InquireError, Select, Text};
use std::io::IsTerminal;

/// Says why an answer cannot be taken.
pub(super) type Check = fn(&str) -> Result<(), String>;

/// Somebody who answers questions.
pub(super) trait Asker {
    /// Which of the options? The first is the usual one.
    fn choose(&mut self, message: &str, options: &[&str]) -> Result<String>;
    /// What? An empty answer stands for `usual`.
    fn text(&mut self, message: &str, usual: &str, check: Check) -> Result<String>;
    /// Yes or no?
    fn confirm(&mut self, message: &str, usual: bool) -> Result<bool>;
}

/// The user at the terminal.
#[derive(Debug)]
pub(super) struct Terminal(());

impl Terminal {
    /// It, if there is one to ask questions and to read answers.
    pub(super) fn find() -> Option<Self> {
        let is_there = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        is_there.then_some(Self(()))
    }
}

/// Asks before something is done that cannot be undone, unless it is forced.
pub(super) fn confirm(message: &str, is_forced: bool) -> Result<()> {
    if is_forced {
        return Ok(());
    }
    let Some(mut terminal) = Terminal::find() else {
        return Err(ClientError::Usage(
            "cannot ask for confirmation without a terminal; --force does it without".to_owned(),
        ));
    };
    match terminal.confirm(message, false)? {
        true => Ok(()),
        false => Err(ClientError::Ended("nothing was done".to_owned())),
    }
}

fn given<T>(answer: Result<T, InquireError>) -> Result<T> {
    answer.map_err(|error| match error {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => {
            ClientError::Ended("nothing was done".to_owned())
        }
        error => ClientError::Ended(format!("cannot ask on this terminal: {error}")),
    })
}

/// Questions and answers look as in NATS's page on data replication: `? Storage backend file`.
fn look() -> RenderConfig<'static> {
    RenderConfig::default().with_answered_prompt_prefix(Styled::new("?"))
}

impl Asker for Terminal {
    fn choose(&mut self, message: &str, options: &[&str]) -> Result<String> {
        let question = Select::new(message, options.to_vec()).with_render_config(look());
        given(question.without_filtering().prompt()).map(str::to_owned)
    }

    fn text(&mut self, message: &str, usual: &str, check: Check) -> Result<String> {
        let validator = move |answer: &str| {
            Ok(match check(answer) {
                Ok(()) => Validation::Valid,
                Err(reason) => Validation::Invalid(ErrorMessage::Custom(reason)),
            })
        };
        let mut question = Text::new(message).with_validator(validator).with_render_config(look());
        if !usual.is_empty() {
            question = question.with_default(usual);
        }
        given(question.prompt())
    }

    fn confirm(&mut self, message: &str, usual: bool) -> Result<bool> {
        given(Confirm::new(message).with_default(usual).with_render_config(look()).prompt())
    }
}
