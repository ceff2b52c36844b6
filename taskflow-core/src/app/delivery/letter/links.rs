//! The signed links of a mail.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::App;
use super::BatchContext;
use crate::ports::{Link, LinkPurpose};
use crate::{
    AnswerLinks, LinkTargets, MailLinks, Meeting, NoticeContent, OpenTarget, Participant, TaskLinks, Timestamp, UserId,
};

/// Time after a meeting for which the links in its mail still work, so that readers can look it up.
const MEETING_LINKS_LIVE: Duration = Duration::from_hours(90 * 24);

/// The time after it was due for which a reminder leads to its task.
const TASK_LINKS_LIVE: Duration = Duration::from_hours(30 * 24);

/// The time after it was due for which a summary leads to the day.
const DAY_LINKS_LIVE: Duration = Duration::from_hours(7 * 24);

impl App {
    /// Returns the links of a mail that was due at `due_at`, for the account `user` if its reader has one. Every expiry
    /// follows from stored data, so that a repeated mail is the same mail.
    pub(in super::super) fn mail_links(
        &self,
        content: &dyn NoticeContent,
        user: Option<UserId>,
        due_at: Timestamp,
        batch: &BatchContext,
    ) -> MailLinks {
        let LinkTargets { open, answers, tasks, task_actions, meetings } = content.links();
        let Some(links) = self.links.as_ref() else {
            // The pages of a host need no signature.
            let open = open.and_then(|target| if let OpenTarget::Url(url) = target { Some(url) } else { None });
            return MailLinks { open, ..MailLinks::default() };
        };
        let url = |purpose, id, expires_at| links.url(&Link { purpose, id, expires_at, version: None });
        let tasks = tasks.into_iter().map(|task| {
            let task_url = |action| url(LinkPurpose::Task(action), task.id.as_uuid(), due_at + TASK_LINKS_LIVE);
            let links = match task_actions && task.is_open() {
                true => TaskLinks::with_actions(task_url),
                false => TaskLinks::to_open(task_url),
            };
            (task.id, links)
        });
        let tasks: BTreeMap<_, _> = tasks.collect();
        let open = open.and_then(|target| match target {
            OpenTarget::Task(task) => tasks.get(&task.id).map(|links| links.open.clone()),
            OpenTarget::Invitation(invitation) => {
                Some(links.url(&respond_link(&invitation.meeting, &invitation.participant)))
            }
            OpenTarget::Meeting(meeting) => {
                Some(url(LinkPurpose::OpenMeeting, meeting.id.as_uuid(), meeting_links_expire(meeting)))
            }
            OpenTarget::Day => Some(url(LinkPurpose::OpenDay, user?.as_uuid(), due_at + DAY_LINKS_LIVE)),
            OpenTarget::Url(url) => Some(url),
        });
        let answers = answers.map(|invitation| {
            let link = respond_link(&invitation.meeting, &invitation.participant);
            AnswerLinks::new(|answer| links.url(&Link { purpose: LinkPurpose::RespondWith(answer), ..link }))
        });
        let meetings = meetings.iter().filter_map(|meeting| {
            let participant = batch.attending.get(&(meeting.id, user?))?;
            Some((meeting.id, links.url(&respond_link(meeting, participant))))
        });
        MailLinks { open, answers, tasks, meetings: meetings.collect() }
    }
}

/// Returns the link on which a participant sees the meeting and responds.
pub(in crate::app) fn respond_link(meeting: &Meeting, participant: &Participant) -> Link {
    let expires_at = meeting_links_expire(meeting);
    Link { purpose: LinkPurpose::Respond, id: participant.id.as_uuid(), expires_at, version: Some(meeting.version) }
}

fn meeting_links_expire(meeting: &Meeting) -> Timestamp {
    meeting.ends_at() + MEETING_LINKS_LIVE
}
