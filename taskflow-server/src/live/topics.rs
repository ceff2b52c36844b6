use std::collections::BTreeSet;

/// What messages are about, as far as connections choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// One's tasks.
    Tasks,
    /// The meetings one is in.
    Meetings,
    /// Reminders that have just left.
    Reminders,
}

impl Topic {
    pub(crate) const ALL: [Self; 3] = [Self::Tasks, Self::Meetings, Self::Reminders];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Meetings => "meetings",
            Self::Reminders => "reminders",
        }
    }

    fn parse(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|topic| topic.as_str() == word);
        found.ok_or_else(|| "must be tasks, meetings or reminders".to_owned())
    }
}

/// What a connection is told of: everything, until it chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topics {
    chosen: BTreeSet<Topic>,
    everything: bool,
}

impl Default for Topics {
    fn default() -> Self {
        Self { chosen: Topic::ALL.into(), everything: true }
    }
}

impl Topics {
    /// Only these, by their words.
    pub(crate) fn only<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut topics = Self::default();
        topics.subscribe(&Self::parse(words)?);
        Ok(topics)
    }

    pub(crate) fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Vec<Topic>, String> {
        words.into_iter().map(|word| Topic::parse(word.trim())).collect()
    }

    /// Whether messages about this are wanted.
    pub(crate) fn want(&self, topic: Option<Topic>) -> bool {
        topic.is_none_or(|topic| self.chosen.contains(&topic))
    }

    /// These, besides what was chosen before.
    pub(crate) fn subscribe(&mut self, topics: &[Topic]) {
        if std::mem::take(&mut self.everything) {
            self.chosen.clear();
        }
        self.chosen.extend(topics);
    }

    /// Not these any more.
    pub(crate) fn unsubscribe(&mut self, topics: &[Topic]) {
        self.everything = false;
        self.chosen.retain(|topic| !topics.contains(topic));
    }

    /// Their words.
    pub(crate) fn words(&self) -> Vec<&'static str> {
        self.chosen.iter().map(|topic| topic.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_chooses_gets_that_and_nothing_else() {
        let mut topics = Topics::default();
        assert!(Topic::ALL.into_iter().all(|topic| topics.want(Some(topic))) && topics.want(None));
        topics.unsubscribe(&[Topic::Tasks]);
        assert_eq!(topics.words(), ["meetings", "reminders"]);
        topics.subscribe(&[Topic::Tasks]);
        assert_eq!(topics.words(), ["tasks", "meetings", "reminders"]);
        let mut topics = Topics::only(["tasks"]).expect("topics");
        assert!(topics.want(Some(Topic::Tasks)) && !topics.want(Some(Topic::Meetings)) && topics.want(None));
        topics.subscribe(&[Topic::Reminders]);
        assert_eq!(topics.words(), ["tasks", "reminders"]);
        assert!(Topics::only(["task"]).expect_err("no topic").contains("must be tasks, meetings or reminders"));
    }
}
