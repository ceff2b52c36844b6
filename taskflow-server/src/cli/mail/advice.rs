//! What to do about a relay that does not take mail, by what it said.

use taskflow_core::ports::{MailError, Reply};

use crate::config::{Smtp, SmtpSecurity};

/// What to do next, as specific as the error allows.
pub(super) fn advice(error: &MailError, smtp: &Smtp) -> String {
    match error {
        MailError::Unavailable(cause) => unavailable(&cause.to_ascii_lowercase(), smtp),
        MailError::Transient(reply) if reply.code.is_none() => {
            "the relay fell silent with the mail in its hands; it may have taken it. Raise EMAIL_TIMEOUT if it is slow".into()
        }
        MailError::Transient(reply) if reply.text.to_ascii_lowercase().contains("greylist") => {
            "this is usual at the first mail to an address: it is taken some minutes later, which the server does by itself"
                .into()
        }
        MailError::Transient(_) => "try again later; the server itself retries such mail by RETRY_SCHEDULE".into(),
        MailError::Permanent(reply) => refused(reply, smtp),
    }
}

fn unavailable(cause: &str, smtp: &Smtp) -> String {
    let says = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    let Smtp { server, port, .. } = smtp;
    if says(&["cannot be resolved", "has no address"]) {
        format!("check the spelling of SMTP_SERVER ({server}), and that this machine can look names up")
    } else if says(&["refused"]) && says(&["cannot connect"]) {
        format!("nothing listens on {server}:{port}: check SMTP_PORT (usually 465 or 587), or start the relay")
    } else if says(&["cannot connect"]) {
        format!(
            "{server}:{port} does not answer: check SMTP_PORT, and whether a firewall or your provider blocks the way out; \
             many block port 25"
        )
    } else if says(&["does not offer starttls"]) {
        "set SMTP_PORT=465 if the relay speaks TLS from the start; SMTP_USE_TLS=false only for a relay on this machine"
            .into()
    } else if says(&["certificate", "unknownissuer", "notvalidforname"]) {
        format!("the relay shows a certificate that is not good for {server}: use the name that it is made for")
    } else if says(&["tls failed", "starttls failed", "invalidcontenttype", "corrupt"]) {
        let other = if smtp.security == SmtpSecurity::Implicit { "587 (STARTTLS)" } else { "465 (TLS from the start)" };
        format!("the relay does not speak TLS there the way port {port} asks for: try SMTP_PORT={other}")
    } else if says(&["signing in failed", "535", "534"]) {
        "check SMTP_USERNAME and SMTP_PASSWORD; some providers want a password made for programs instead of your own"
            .into()
    } else if says(&["530 "]) {
        "the relay wants a sign-in: set SMTP_USERNAME and SMTP_PASSWORD".into()
    } else if says(&["no sign-in that we know"]) {
        "the relay offers no sign-in here: check SMTP_PORT, or remove SMTP_USERNAME and SMTP_PASSWORD".into()
    } else {
        format!(
            "check SMTP_SERVER ({server}), SMTP_PORT ({port}), SMTP_USERNAME and SMTP_PASSWORD, and that this machine may \
             connect there; port 465 means TLS from the start, 587 STARTTLS"
        )
    }
}

fn refused(reply: &Reply, smtp: &Smtp) -> String {
    let text = reply.text.to_ascii_lowercase();
    if reply.concerns_the_mailbox() {
        "the relay knows no such mailbox: check the address you send to".into()
    } else if text.contains("relay") && smtp.login.is_none() {
        "the relay sends on only for those who sign in: set SMTP_USERNAME and SMTP_PASSWORD".into()
    } else if text.contains("sender") || text.contains("from") || reply.code == Some(553) {
        "the relay does not let this sign-in send as SMTP_FROM_EMAIL: set it to an address that it owns".into()
    } else if text.contains("spf") || text.contains("dkim") || text.contains("dmarc") {
        "the domain of SMTP_FROM_EMAIL must name this relay in its SPF record, or sign with DKIM".into()
    } else {
        "check the address, and that the relay lets SMTP_FROM_EMAIL send from this sign-in".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(error: MailError) -> String {
        let server = "smtp.example.org".to_owned();
        advice(&error, &Smtp { server, port: 587, security: SmtpSecurity::StartTls, login: None })
    }

    #[test]
    fn what_went_wrong_decides_what_to_do() {
        for (cause, word) in [
            ("the name cannot be resolved: no record", "spelling"),
            ("cannot connect: Connection refused (os error 111)", "nothing listens"),
            ("cannot connect: no answer within 10 s", "firewall"),
            ("the relay does not offer STARTTLS; nothing was sent in clear", "SMTP_PORT=465"),
            ("STARTTLS failed: invalid peer certificate: NotValidForName", "certificate"),
            ("TLS failed: received corrupt message of type InvalidContentType", "465"),
            ("signing in failed: 535 5.7.8 bad credentials", "SMTP_PASSWORD"),
            ("530 5.7.0 authentication required", "wants a sign-in"),
            ("something else", "check SMTP_SERVER"),
        ] {
            let hint = hint(MailError::Unavailable(cause.to_owned()));
            assert!(hint.contains(word), "{cause}: {hint}");
        }
        for (code, text, word) in [
            (550, "5.1.1 no such user", "no such mailbox"),
            (554, "5.7.1 relay access denied", "sign in"),
            (553, "5.7.1 not owned by user", "SMTP_FROM_EMAIL"),
            (550, "5.7.26 SPF check failed", "SPF"),
        ] {
            let hint = hint(MailError::Permanent(Reply::new(taskflow_core::ports::Asked::Recipient, code, text)));
            assert!(hint.contains(word), "{text}: {hint}");
        }
    }
}
