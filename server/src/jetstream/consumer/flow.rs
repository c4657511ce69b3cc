//! Flow control of a consumer that delivers unasked: how much may be under way before the receiver has said that it got
//! there.
//!
//! The window begins at a sixteenth of its bound and doubles with each answer. A question goes out when more than half
//! of the window is under way; until it is answered there is no other.
//! Not here: sending (`delivery`).

/// Bound of the window, in bytes.
const WINDOW_MAX: u64 = 32 * 1024 * 1024;
const WINDOW_FIRST: u64 = WINDOW_MAX / 16;

/// See the top of the file.
#[derive(Debug)]
pub(crate) struct Flow {
    window: u64,
    under_way: u64,
    /// The question that waits for its answer, and what was under way when it was sent.
    asked: Option<(String, u64)>,
}

impl Default for Flow {
    fn default() -> Self {
        Self { window: WINDOW_FIRST, under_way: 0, asked: None }
    }
}

impl Flow {
    /// Whether nothing more may be sent.
    pub(crate) fn is_stalled(&self) -> bool {
        self.under_way > self.window
    }
    /// The question that waits for its answer.
    pub(crate) fn asked(&self) -> Option<&str> {
        self.asked.as_ref().map(|(subject, _)| subject.as_str())
    }
    /// So many bytes are sent. True where the receiver is to be asked now. `is_full`: too much waits for
    /// acknowledgement, and answers are acknowledgements.
    pub(crate) fn sent(&mut self, bytes: u64, is_full: bool) -> bool {
        self.under_way += bytes;
        match &mut self.asked {
            None => self.under_way > self.window / 2 || is_full,
            Some((_, covered)) => {
                if self.under_way - (*covered).min(self.under_way) >= self.window {
                    *covered += bytes;
                }
                false
            }
        }
    }
    /// The receiver is asked, and answers to this subject.
    pub(crate) fn ask(&mut self, subject: String) {
        self.asked = Some((subject, self.under_way));
    }
    /// An answer came. False where it is not to the question that waits.
    pub(crate) fn answered(&mut self, subject: &str) -> bool {
        let Some((_, covered)) = self.asked.take_if(|(asked, _)| asked == subject) else {
            return false;
        };
        self.window = (self.window * 2).min(WINDOW_MAX);
        self.under_way = self.under_way.saturating_sub(covered);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_opens_with_answers() {
        let mut flow = Flow::default();
        assert!(!flow.sent(WINDOW_FIRST / 2, false));
        assert!(flow.sent(1, false), "more than half");
        flow.ask("q1".into());
        assert!(!flow.sent(WINDOW_FIRST / 2, false), "one question at a time");
        assert!(flow.is_stalled());
        assert!(!flow.answered("q0") && flow.asked() == Some("q1"));
        assert!(flow.answered("q1") && !flow.is_stalled() && flow.asked().is_none());
        assert_eq!((flow.window, flow.under_way), (2 * WINDOW_FIRST, WINDOW_FIRST / 2));
        assert!(flow.sent(0, true), "an answer is wanted as an acknowledgement");
    }
}
