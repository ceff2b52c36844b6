//! The settings of rate limits.

use taskflow_core::RateLimit;

use super::duration;
use super::reader::Reader;
use super::values;
use crate::limits::{ForwardedHeader, LimitSettings, Network, TrustedProxies};

const FIGURE: &str = "use a number of requests and the time in which they are earned again, as in 30/1h (up to 1000000, and \
                      up to 24h)";

pub(super) fn read(r: &mut Reader) -> LimitSettings {
    let networks = r
        .optional(
            "TRUSTED_PROXIES",
            "list addresses or networks of proxies, such as 127.0.0.1 or 10.0.0.0/8, separated by commas",
            networks,
        )
        .unwrap_or_default();
    let header = r.value("FORWARDED_HEADER", "use X-Forwarded-For or Forwarded", header);
    LimitSettings {
        enabled: r.value("RATE_LIMITS", "use on or off", values::truth),
        proxies: TrustedProxies { networks, header },
        min_rate: r.value("MIN_TRANSFER_RATE", "use a number from 0 to 1000000", values::number(0..=1_000_000)),
        anonymous: r.value("LIMIT_REQUESTS_ADDRESS", FIGURE, figure),
        requests: r.value("LIMIT_REQUESTS", FIGURE, figure),
        sign_in: r.value("LIMIT_SIGN_IN", FIGURE, figure),
        sign_in_name: r.value("LIMIT_SIGN_IN_NAME", FIGURE, figure),
        sign_in_address: r.value("LIMIT_SIGN_IN_ADDRESS", FIGURE, figure),
        sign_in_names: r.value("LIMIT_SIGN_IN_NAMES", FIGURE, figure),
        sign_in_device: r.value("LIMIT_SIGN_IN_DEVICE", FIGURE, figure),
        register: r.value("LIMIT_REGISTER", FIGURE, figure),
        mail: r.value("LIMIT_MAIL", FIGURE, figure),
        mail_address: r.value("LIMIT_MAIL_ADDRESS", FIGURE, figure),
    }
}

/// The value of a setting as it would be written; `None`: it is none of these.
pub(super) fn shown(limits: &LimitSettings, name: &str) -> Option<String> {
    let limit = match name {
        "RATE_LIMITS" => return Some(if limits.enabled { "on" } else { "off" }.to_owned()),
        "TRUSTED_PROXIES" => {
            let networks = limits.proxies.networks.iter().map(ToString::to_string);
            return Some(networks.collect::<Vec<_>>().join(","));
        }
        "FORWARDED_HEADER" => return Some(limits.proxies.header.as_str().to_owned()),
        "MIN_TRANSFER_RATE" => return Some(limits.min_rate.to_string()),
        "LIMIT_REQUESTS_ADDRESS" => limits.anonymous,
        "LIMIT_REQUESTS" => limits.requests,
        "LIMIT_SIGN_IN" => limits.sign_in,
        "LIMIT_SIGN_IN_NAME" => limits.sign_in_name,
        "LIMIT_SIGN_IN_ADDRESS" => limits.sign_in_address,
        "LIMIT_SIGN_IN_NAMES" => limits.sign_in_names,
        "LIMIT_SIGN_IN_DEVICE" => limits.sign_in_device,
        "LIMIT_REGISTER" => limits.register,
        "LIMIT_MAIL" => limits.mail,
        "LIMIT_MAIL_ADDRESS" => limits.mail_address,
        _ => return None,
    };
    Some(format!("{}/{}", limit.burst(), duration::show(limit.period())))
}

/// Reads a limit: `30/1h`.
fn figure(text: &str) -> Option<RateLimit> {
    let (burst, period) = text.split_once('/')?;
    RateLimit::new(burst.trim().parse().ok()?, duration::parse(period)?)
}

fn networks(text: &str) -> Option<Vec<Network>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().ok()).collect()
}

fn header(text: &str) -> Option<ForwardedHeader> {
    let all = [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded];
    all.into_iter().find(|header| header.as_str().eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_figure_is_a_number_of_requests_in_a_time() {
        assert_eq!(figure("30/1h"), RateLimit::new(30, Duration::from_hours(1)));
        assert_eq!(figure("1 / 500ms"), RateLimit::new(1, Duration::from_millis(500)));
        for text in ["", "30", "0/1h", "30/h", "30/60", "-1/1h", "30/25h", "1000001/1h", "30/1h/2"] {
            assert_eq!(figure(text), None, "{text}");
        }
    }
}
