//! Checked words of bounded length, such as the names of jobs and channels.

/// A word of 1 to `N` lower-case ASCII letters, digits or underscores, beginning with a letter. It is padded with
/// zeros, so that it is copied like a number and ordered like its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Word<const N: usize>([u8; N]);

impl<const N: usize> Word<N> {
    /// Returns the word; `None` if it is none.
    pub(crate) const fn checked(word: &[u8]) -> Option<Self> {
        let mut text = [0; N];
        if word.is_empty() || word.len() > N || !word[0].is_ascii_lowercase() {
            return None;
        }
        let mut place = 0;
        while place < word.len() {
            if !matches!(word[place], b'a'..=b'z' | b'0'..=b'9' | b'_') {
                return None;
            }
            text[place] = word[place];
            place += 1;
        }
        Some(Self(text))
    }

    pub(crate) fn as_str(&self) -> &str {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(N);
        std::str::from_utf8(&self.0[..length]).unwrap_or_default()
    }
}
