//! The emulator's time: the machine's, moved by a knob.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// One instant as the emulator sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Now(i64);

impl Now {
    /// The machine's time plus `offset_seconds`.
    pub fn with_offset(offset_seconds: i64) -> Self {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
        let ms = elapsed.map_or(0, |e| i64::try_from(e.as_millis()).unwrap_or(i64::MAX));
        Self(ms.saturating_add(offset_seconds.saturating_mul(1000)))
    }

    /// Milliseconds since 1970.
    pub fn ms(self) -> i64 {
        self.0
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant moved.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Seconds since 1970 with a fraction, as KMS writes times in JSON.
    pub fn epoch(self) -> f64 {
        let seconds = i32::try_from(self.seconds()).unwrap_or(i32::MAX);
        let rest = i32::try_from(self.0.rem_euclid(1000)).unwrap_or(0);
        f64::from(seconds) + f64::from(rest) / 1000.0
    }

    /// RFC 3339 in UTC, as STS writes times in XML.
    pub fn rfc3339(self) -> String {
        Timestamp::from_millisecond(self.0)
            .unwrap_or(Timestamp::MAX)
            .to_string()
    }

    /// `20261123T090000Z`, as signatures write times.
    pub fn compact(self) -> String {
        let at = Timestamp::from_second(self.seconds()).unwrap_or(Timestamp::MAX);
        at.strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    /// Reads `20261123T090000Z`.
    pub fn parse_compact(text: &str) -> Option<Self> {
        // The parser reads signs and spaces too, so the shape is checked first.
        let shape = text.len() == 16
            && text.bytes().enumerate().all(|(index, byte)| match index {
                8 => byte == b'T',
                15 => byte == b'Z',
                _ => byte.is_ascii_digit(),
            });
        if !shape {
            return None;
        }
        let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self(zoned.timestamp().as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_form_reads_back() {
        let now = Now::parse_compact("20261123T090807Z").unwrap();
        assert_eq!(now.compact(), "20261123T090807Z");
        assert_eq!(now.rfc3339(), "2026-11-23T09:08:07Z");
        assert_eq!(now.ms(), 1_795_424_887_000);
        for bad in ["", "20261123T090807", "20261323T090807Z", "2026-1-2T09080Z"] {
            assert_eq!(Now::parse_compact(bad), None, "{bad}");
        }
    }
}
