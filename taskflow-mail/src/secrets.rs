//! Secrets that must not be shown, in every form in which a relay may repeat them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::smtp::Login;

/// Replacement for a secret.
const HIDDEN: &str = "***";

/// A password as it is, and its forms in AUTH PLAIN and LOGIN (RFC 4954). Never shown.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(crate) fn of(login: Option<&Login>) -> Self {
        let Some(Login { username, password }) = login else { return Self::default() };
        // Without padding, so that it is found with and without.
        let plain = STANDARD_NO_PAD.encode(format!("\0{username}\0{password}"));
        let mut forms =
            vec![plain, STANDARD_NO_PAD.encode(password), STANDARD_NO_PAD.encode(username), password.clone()];
        forms.retain(|form| !form.is_empty());
        // Relays repeat commands in capitals, too.
        forms.iter_mut().for_each(|form| form.make_ascii_lowercase());
        Self(forms)
    }

    /// Returns the text with the secrets replaced.
    pub(crate) fn hidden_in(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for form in &self.0 {
            let mut end = text.len();
            while let Some(at) = text.get(..end).and_then(|head| head.to_ascii_lowercase().rfind(form.as_str())) {
                text.replace_range(at..at + form.len(), HIDDEN);
                end = at;
            }
        }
        text
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hidden_in_every_form_and_nothing_else_is() {
        let login = Login { username: "ada".to_owned(), password: "correct hörse".to_owned() };
        let secrets = Secrets::of(Some(&login));
        for said in [
            "no: AUTH PLAIN AGFkYQBjb3JyZWN0IGjDtnJzZQ==",
            "no: auth plain agfkyqbjb3jyzwn0igjdtnjzzq, Y29ycmVjdCBow7Zyc2U=, YWRh",
            "correct hörse and CORRECT HörSE",
        ] {
            let told = secrets.hidden_in(said);
            for form in ["agfk", "y29ycm", "ywrh", "correct"] {
                assert!(told.contains(HIDDEN) && !told.to_lowercase().contains(form), "{told}");
            }
        }
        assert_eq!(secrets.hidden_in("535 5.7.8 ada is unknown"), "535 5.7.8 ada is unknown");
        assert_eq!(Secrets::default().hidden_in("anything"), "anything");
        assert_eq!(format!("{secrets:?}"), HIDDEN);
    }
}
