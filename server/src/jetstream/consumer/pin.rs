//! The client that a consumer with a pinned client serves, until it is silent for too long.
//! Not here: the order of requests (`waiting`).

/// See the top of the file. Times are in nanoseconds since 1970.
#[derive(Debug, Default)]
pub(crate) struct Pin {
    id: String,
    since: i64,
    until: i64,
    span_ns: i64,
}

impl Pin {
    /// Nobody is pinned; one that is stays so for this long after its last request.
    pub(crate) fn new(span_ns: i64) -> Self {
        Self { span_ns, ..Self::default() }
    }
    /// The id that the client was given; empty for none.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
    /// When it was given.
    pub(crate) fn since(&self) -> i64 {
        self.since
    }
    /// Gives an id where nobody has one, and counts from now.
    pub(crate) fn hold(&mut self, now: i64) {
        if self.id.is_empty() {
            self.id = nuid::next().to_string();
            self.since = now;
            self.until = now.saturating_add(self.span_ns);
        }
    }
    /// The client was heard of.
    pub(crate) fn renew(&mut self, now: i64) {
        self.until = now.saturating_add(self.span_ns);
    }
    /// Nobody is pinned any more. False where nobody was.
    pub(crate) fn release(&mut self) -> bool {
        !std::mem::take(&mut self.id).is_empty()
    }
    /// When the client has been silent for too long; `None` where nobody is pinned.
    pub(crate) fn ends(&self) -> Option<i64> {
        (!self.id.is_empty()).then_some(self.until)
    }
}
