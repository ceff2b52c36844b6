//! Replacements for stored texts that cannot be read.

/// Returns the valid part of an invalid text: without forbidden characters, and cut to the maximum length. Returns
/// `(unreadable)` if too little is left.
pub(super) fn what_fits(text: &str, least: usize, most: usize, allowed: fn(char) -> bool) -> String {
    let fits: String = text.chars().filter(|&c| allowed(c)).take(most).collect();
    if fits.chars().count() < least { "(unreadable)".to_owned() } else { fits }
}

/// Returns a short name for a text that is not a valid value: the same for the same text (FNV-1a).
pub(super) fn fingerprint(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}
