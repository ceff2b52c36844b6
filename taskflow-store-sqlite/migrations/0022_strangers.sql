-- Whoever has accepted an invitation is no stranger to its organizer. Looked up by address when an organizer invites.

CREATE INDEX taskflow_idx_meeting_participants_accepted ON taskflow_meeting_participants (email_key, meeting_id)
    WHERE response_status IN ('accepted', 'tentative') OR reset_response IN ('accepted', 'tentative');
