use serde::{Deserialize, Serialize};

use super::meeting::{self, Subject, invitation};
use super::{
    Checked, MadeUp, Needs, NoticePolicy, NoticeType, PreSendCheck, Priority, ShippedNotice, cancelled, expired,
};
use crate::{
    DeliveryProblem, Invitation, LinkTargets, MeetingId, NoticeContent, NoticeKind, Outcome, ParticipantId, PlainText,
    RenderInput, Timestamp, Variable, Variables,
};

/// Mail about a meeting does not reach a participant; for the organizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingUndeliveredNotice {
    /// The meeting.
    pub meeting: MeetingId,
    /// The participant.
    pub participant: ParticipantId,
}

/// The content of a mail that notifies an organizer of a participant whom mail does not reach.
///
/// Its templates also have `who`, `email`, `meaning`, what the status code of the mail server means, and `problem`,
/// what else it said; the last two may be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingUndeliveredContent(pub Invitation);

impl NoticeType for MeetingUndeliveredNotice {
    const KIND: &'static str = "meeting_undelivered";
    const POLICY: NoticePolicy = NoticePolicy::optional(Priority::Meeting);
}

impl ShippedNotice for MeetingUndeliveredNotice {
    fn needs(&self) -> Needs {
        Needs::meeting(self.meeting, self.participant)
    }

    fn check(&self, check: &mut PreSendCheck<'_>) -> Result<Checked, Outcome> {
        let (meeting, participant) = Subject(self.meeting, self.participant).find(check.batch)?;
        if participant.delivery_problem.is_none() {
            return Err(cancelled("mail reaches them again"));
        }
        if meeting.ends_at() <= check.now {
            return Err(expired("the meeting is over"));
        }
        Ok(MeetingUndeliveredContent(invitation(check, meeting, participant)).into())
    }

    fn sample(made_up: MadeUp<'_>) -> Option<Box<dyn NoticeContent>> {
        let mut invitation = made_up.invitation()?;
        invitation.participant.delivery_problem = "550 5.1.1 no such user".parse().ok();
        Some(Box::new(MeetingUndeliveredContent(invitation)))
    }
}

impl NoticeContent for MeetingUndeliveredContent {
    fn kind(&self) -> NoticeKind {
        NoticeKind::MeetingUndelivered
    }

    fn plain(&self, input: &RenderInput) -> PlainText {
        let participant = &self.0.participant;
        let why = participant.delivery_problem.as_ref().map_or("", DeliveryProblem::as_str);
        let line = format!("Mail to {} could not be delivered: {why}\n\nYour meeting is", participant.email);
        meeting::plain(input, &self.0, "Not delivered", &line)
    }

    fn variables<'a>(&'a self, _: &'a RenderInput) -> Variables<'a> {
        let said = self.0.participant.delivery_problem.as_ref().map(DeliveryProblem::as_str);
        let meaning = said.and_then(meaning);
        let problem = said.filter(|said| meaning.is_none() || !is_bare_code(said));
        meeting::variables(&self.0, None)
            .and(meeting::participant_variables(&self.0.participant))
            .with("meaning", meaning.map(|(key, code)| Variable::WordsWith(key, "code", code.into())))
            .with("problem", problem)
    }

    fn links(&self) -> LinkTargets<'_> {
        meeting::organizer_links(&self.0)
    }

    fn thread(&self) -> Option<String> {
        Some(meeting::thread(&self.0))
    }

    fn happens_at(&self, now: Timestamp) -> Option<Timestamp> {
        meeting::ahead([meeting::span(&self.0.meeting)], now)
    }
}

/// Returns the key of the words for the enhanced status code (RFC 3463) in the words of a mail server, and the code, if
/// it is one of the usual ones.
fn meaning(problem: &str) -> Option<(&'static str, &str)> {
    let words = problem.split(|c: char| !c.is_ascii_digit() && c != '.').map(|word| word.trim_end_matches('.'));
    words.into_iter().find_map(|code| {
        let (_, detail) = code.split_once('.').filter(|(class, _)| matches!(*class, "4" | "5"))?;
        let key = match detail {
            "1.1" | "1.0" => "undelivered.no_mailbox",
            "1.2" => "undelivered.no_domain",
            "1.3" => "undelivered.bad_address",
            "1.6" => "undelivered.moved",
            // RFC 7505
            "1.10" => "undelivered.no_mail_here",
            "2.1" => "undelivered.disabled",
            "2.2" => "undelivered.full",
            "2.3" | "3.4" => "undelivered.too_big",
            "4.1" | "4.3" | "4.4" => "undelivered.unreachable",
            "4.7" => "undelivered.too_late",
            "7.0" | "7.1" => "undelivered.refused",
            _ => return None,
        };
        Some((key, code))
    })
}

/// Returns whether the words of a mail server say nothing beside the codes.
fn is_bare_code(problem: &str) -> bool {
    !problem.contains(|c: char| c.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_codes_of_mail_servers_have_words() {
        for (said, expected) in [
            ("5.1.1", Some(("undelivered.no_mailbox", "5.1.1"))),
            ("550 5.1.1 no such user", Some(("undelivered.no_mailbox", "5.1.1"))),
            ("552-5.2.2 <a@example.org>: over quota", Some(("undelivered.full", "5.2.2"))),
            ("smtp; 550 5.1.10 RESOLVER.ADR", Some(("undelivered.no_mail_here", "5.1.10"))),
            ("host 192.5.1.1 said: no", None),
            ("5.9.9", None),
            ("no such user", None),
        ] {
            assert_eq!(meaning(said), expected, "{said}");
        }
    }

    #[test]
    fn what_a_server_says_beside_its_code_is_kept() {
        assert!(is_bare_code("5.1.1") && is_bare_code("550 5.1.1") && !is_bare_code("550 5.1.1 no such user"));
    }
}
