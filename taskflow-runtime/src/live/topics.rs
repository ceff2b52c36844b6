use std::collections::BTreeSet;

/// The subject of a message, by which connections filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Changes of one's own tasks.
    Tasks,
    /// Changes of meetings that one takes part in.
    Meetings,
    /// Reminders that were just sent.
    Reminders,
}

impl Topic {
    /// All topics.
    pub const ALL: [Self; 3] = [Self::Tasks, Self::Meetings, Self::Reminders];

    /// Returns its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
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

/// The topics of a connection: all of them, until it chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    chosen: BTreeSet<Topic>,
    everything: bool,
}

impl Default for Topics {
    fn default() -> Self {
        Self { chosen: Topic::ALL.into(), everything: true }
    }
}

impl Topics {
    /// Chooses topics by their names.
    ///
    /// # Errors
    ///
    /// A text that lists the valid names.
    pub fn only<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut topics = Self::default();
        topics.subscribe(&Self::parse(words)?);
        Ok(topics)
    }

    /// Parses names of topics.
    ///
    /// # Errors
    ///
    /// A text that lists the valid names.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Vec<Topic>, String> {
        words.into_iter().map(|word| Topic::parse(word.trim())).collect()
    }

    /// Returns whether messages on this topic are wanted; those without a topic always are.
    #[must_use]
    pub fn want(&self, topic: Option<Topic>) -> bool {
        topic.is_none_or(|topic| self.chosen.contains(&topic))
    }

    /// Adds topics to those chosen so far.
    pub fn subscribe(&mut self, topics: &[Topic]) {
        if std::mem::take(&mut self.everything) {
            self.chosen.clear();
        }
        self.chosen.extend(topics);
    }

    /// Removes topics.
    pub fn unsubscribe(&mut self, topics: &[Topic]) {
        self.everything = false;
        self.chosen.retain(|topic| !topics.contains(topic));
    }

    /// Returns their names.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
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
