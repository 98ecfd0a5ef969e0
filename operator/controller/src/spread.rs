//! Readings that nothing asks for are spread over time, so that a thousand clusters that began together do not ask KMS
//! together for ever.

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

/// The interval of one resource: the setting, or up to a fifth less, always the same for the same uid.
pub fn interval(setting: SignedDuration, uid: &str) -> SignedDuration {
    let digest = Sha256::digest(uid.as_bytes());
    let parts = i128::from(u16::from_be_bytes([digest[0], digest[1]]));
    let less = setting.as_millis() / 5 * parts / i128::from(u16::MAX);
    setting - SignedDuration::from_millis(i64::try_from(less).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_longer_the_same_for_one_and_spread_for_many() {
        let setting = SignedDuration::from_mins(10);
        let all: Vec<_> = (0..1000)
            .map(|at| interval(setting, &format!("uid-{at}")))
            .collect();
        let least = SignedDuration::from_mins(8);
        assert!(all.iter().all(|one| (least..=setting).contains(one)));
        assert_eq!(all[7], interval(setting, "uid-7"));
        // Of ten equal parts of the fifth, none is empty and none has a quarter of all.
        for part in 0..10 {
            let from = least + SignedDuration::from_secs(12 * part);
            let to = from + SignedDuration::from_secs(12);
            let count = all.iter().filter(|one| (from..to).contains(one)).count();
            assert!((50..250).contains(&count), "{part}: {count}");
        }
        assert_eq!(interval(SignedDuration::ZERO, "uid"), SignedDuration::ZERO);
    }
}
