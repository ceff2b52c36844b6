//! Advice for a relay that does not accept mail, chosen by its answer.

use taskflow_core::ports::{MailError, Reply};

use crate::config::{Smtp, SmtpSecurity};

/// Returns the next step for the operator, as specific as the error allows.
pub(super) fn advice(error: &MailError, smtp: &Smtp) -> String {
    match error {
        MailError::Unavailable(cause) => unavailable(&cause.to_ascii_lowercase(), smtp),
        MailError::Transient(reply) if reply.code.is_none() => {
            "the relay did not answer after the mail was sent; it may have accepted it. Raise EMAIL_TIMEOUT if it is slow".into()
        }
        MailError::Transient(reply) if reply.text.to_ascii_lowercase().contains("greylist") => {
            "this is usual for the first mail to an address: the relay accepts it some minutes later, and the server retries by itself"
                .into()
        }
        MailError::Transient(_) => "try again later; the server retries such mail as RETRY_SCHEDULE says".into(),
        MailError::Permanent(reply) => refused(reply, smtp),
    }
}

fn unavailable(cause: &str, smtp: &Smtp) -> String {
    let says = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    let Smtp { server, port, .. } = smtp;
    if says(&["cannot be resolved", "has no address"]) {
        format!("check the spelling of SMTP_SERVER ({server}), and that this machine can resolve host names")
    } else if says(&["refused"]) && says(&["cannot connect"]) {
        format!("nothing listens on {server}:{port}: check SMTP_PORT (usually 465 or 587), or start the relay")
    } else if says(&["cannot connect"]) {
        format!(
            "{server}:{port} does not answer: check SMTP_PORT, and whether a firewall or your provider blocks the connection; \
             many block port 25"
        )
    } else if says(&["does not offer starttls"]) {
        "set SMTP_PORT=465 if the relay speaks TLS from the start; SMTP_USE_TLS=false only for a relay on this machine"
            .into()
    } else if says(&["causedasendentity", "unknownissuer", "selfsigned"]) {
        "the certificate of the relay is self-signed or comes from an authority that this machine does not trust: add that \
         authority to the trusted certificates of this machine, or let SSL_CERT_FILE name a file with it"
            .into()
    } else if says(&["expired"]) && says(&["certificate"]) {
        "the certificate of the relay has expired: renew it, or check the clock of this machine".into()
    } else if says(&["certificate", "notvalidforname"]) {
        format!(
            "the certificate of the relay is not valid for {server}: set SMTP_SERVER to the name in the certificate"
        )
    } else if says(&["tls failed", "starttls failed", "invalidcontenttype", "corrupt"]) {
        let other = if smtp.security == SmtpSecurity::Implicit { "587 (STARTTLS)" } else { "465 (TLS from the start)" };
        format!("the relay does not speak TLS the way port {port} requires: try SMTP_PORT={other}")
    } else if says(&["signing in failed", "535", "534"]) {
        "check SMTP_USERNAME and SMTP_PASSWORD; some providers require an app password instead of your own".into()
    } else if says(&["530 "]) {
        "the relay requires authentication: set SMTP_USERNAME and SMTP_PASSWORD".into()
    } else if says(&["no sign-in that we know"]) {
        "the relay offers no authentication that TaskFlow supports: check SMTP_PORT, or remove SMTP_USERNAME and SMTP_PASSWORD".into()
    } else {
        format!(
            "check SMTP_SERVER ({server}), SMTP_PORT ({port}), SMTP_USERNAME and SMTP_PASSWORD, and that this machine may \
             connect there; port 465 uses TLS from the start, 587 STARTTLS"
        )
    }
}

fn refused(reply: &Reply, smtp: &Smtp) -> String {
    let text = reply.text.to_ascii_lowercase();
    if reply.concerns_the_mailbox() {
        "the relay knows no such mailbox: check the address you send to".into()
    } else if text.contains("relay") && smtp.login.is_none() {
        "the relay forwards mail only after authentication: set SMTP_USERNAME and SMTP_PASSWORD".into()
    } else if text.contains("sender") || text.contains("from") || reply.code == Some(553) {
        "the relay does not let this login send as SMTP_FROM_EMAIL: set it to an address that the login owns".into()
    } else if text.contains("spf") || text.contains("dkim") || text.contains("dmarc") {
        "the domain of SMTP_FROM_EMAIL must name this relay in its SPF record, or sign with DKIM".into()
    } else {
        "check the address, and that the relay lets this login send as SMTP_FROM_EMAIL".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(error: MailError) -> String {
        let server = "smtp.example.org".to_owned();
        advice(&error, &Smtp { server, port: 587, security: SmtpSecurity::StartTls, login: None, hello: None })
    }

    #[test]
    fn what_went_wrong_decides_what_to_do() {
        for (cause, word) in [
            ("the name cannot be resolved: no record", "spelling"),
            ("cannot connect: Connection refused (os error 111)", "nothing listens"),
            ("cannot connect: no answer within 10 s", "firewall"),
            ("the relay does not offer STARTTLS; nothing was sent in clear", "SMTP_PORT=465"),
            ("STARTTLS failed: invalid peer certificate: NotValidForName", "not valid for smtp.example.org"),
            ("TLS failed: invalid peer certificate: Other(CaUsedAsEndEntity)", "self-signed"),
            ("TLS failed: invalid peer certificate: UnknownIssuer", "SSL_CERT_FILE"),
            ("TLS failed: invalid peer certificate: Expired", "renew it"),
            ("TLS failed: received corrupt message of type InvalidContentType", "465"),
            ("signing in failed: 535 5.7.8 bad credentials", "SMTP_PASSWORD"),
            ("530 5.7.0 authentication required", "requires authentication"),
            ("something else", "check SMTP_SERVER"),
        ] {
            let hint = hint(MailError::Unavailable(cause.to_owned()));
            assert!(hint.contains(word), "{cause}: {hint}");
        }
        for (code, text, word) in [
            (550, "5.1.1 no such user", "no such mailbox"),
            (554, "5.7.1 relay access denied", "authentication"),
            (553, "5.7.1 not owned by user", "SMTP_FROM_EMAIL"),
            (550, "5.7.26 SPF check failed", "SPF"),
        ] {
            let hint = hint(MailError::Permanent(Reply::new(taskflow_core::ports::Asked::Recipient, code, text)));
            assert!(hint.contains(word), "{text}: {hint}");
        }
    }
}
