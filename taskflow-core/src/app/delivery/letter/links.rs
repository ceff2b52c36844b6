//! The signed links of a letter.

use std::time::Duration;

use super::super::App;
use super::BatchContext;
use crate::ports::{Link, LinkPurpose};
use crate::{AnswerLinks, LetterLinks, Meeting, NoticeContent, Participant, TaskLinks, Timestamp, UserId};

/// How long after a meeting the links in its mail are still understood, so that people read what became of it.
const MEETING_LINKS_LIVE: Duration = Duration::from_hours(90 * 24);

/// How long after its time a reminder still leads to its task.
const TASK_LINKS_LIVE: Duration = Duration::from_hours(30 * 24);

/// How long after its time a summary still leads to the day.
const DAY_LINKS_LIVE: Duration = Duration::from_hours(7 * 24);

impl App {
    /// The links of a letter that was due at `due_at`, for the account `user` if its reader has one. Every expiry follows
    /// from what is stored, so that a repeated mail is the same mail.
    pub(super) fn letter_links(
        &self,
        topic: &NoticeContent,
        user: Option<UserId>,
        due_at: Timestamp,
        facts: &BatchContext,
    ) -> LetterLinks {
        let Some(links) = self.links.as_ref() else { return LetterLinks::default() };
        let url = |purpose, id, expires_at| links.url(&Link { purpose, id, expires_at, version: None });
        let tasks = topic.tasks().into_iter().map(|task| {
            let task_url = |action| url(LinkPurpose::Task(action), task.id.as_uuid(), due_at + TASK_LINKS_LIVE);
            let links = match topic.offers_task_actions() && task.is_open() {
                true => TaskLinks::with_actions(task_url),
                false => TaskLinks::to_open(task_url),
            };
            (task.id, links)
        });
        let tasks: std::collections::BTreeMap<_, _> = tasks.collect();
        let open = match topic {
            NoticeContent::MeetingLeft(invitation)
            | NoticeContent::MeetingProposal { invitation, .. }
            | NoticeContent::MeetingUndelivered(invitation) => {
                let meeting = &invitation.meeting;
                Some(url(LinkPurpose::OpenMeeting, meeting.id.as_uuid(), meeting_links_expire(meeting)))
            }
            NoticeContent::TaskReminder(_) | NoticeContent::DailySummary(_) => {
                user.map(|user| url(LinkPurpose::OpenDay, user.as_uuid(), due_at + DAY_LINKS_LIVE))
            }
            topic => match topic.invitation() {
                Some(invitation) => Some(links.url(&respond_link(&invitation.meeting, &invitation.participant))),
                None => topic.tasks().first().and_then(|task| tasks.get(&task.id)).map(|task| task.open.clone()),
            },
        };
        let answers = topic.invitation().filter(|_| topic.asks_for_an_answer()).map(|invitation| {
            let link = respond_link(&invitation.meeting, &invitation.participant);
            AnswerLinks::new(|answer| links.url(&Link { purpose: LinkPurpose::RespondWith(answer), ..link }))
        });
        let meetings = topic.meetings().iter().filter_map(|meeting| {
            let participant = facts.attending.get(&(meeting.id, user?))?;
            Some((meeting.id, links.url(&respond_link(meeting, participant))))
        });
        LetterLinks { open, answers, tasks, meetings: meetings.collect() }
    }
}

/// Where a participant sees the meeting and answers.
pub(in crate::app) fn respond_link(meeting: &Meeting, participant: &Participant) -> Link {
    let expires_at = meeting_links_expire(meeting);
    Link { purpose: LinkPurpose::Respond, id: participant.id.as_uuid(), expires_at, version: Some(meeting.version) }
}

fn meeting_links_expire(meeting: &Meeting) -> Timestamp {
    meeting.ends_at() + MEETING_LINKS_LIVE
}
