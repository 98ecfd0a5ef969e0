//! `EnableKey`, `DisableKey`, `ScheduleKeyDeletion`, `CancelKeyDeletion`.

use serde_json::json;

use crate::authorize::Context;
use crate::error::ApiError;
use crate::wire::Members;
use crate::world::key::State;

use super::{Answer, Call};

const DAY_SECONDS: i64 = 24 * 60 * 60;
/// Days until deletion when the request names none.
const DEFAULT_WINDOW: i64 = 30;

pub(super) fn enable(call: &mut Call<'_>, members: &Members) -> Answer {
    set(call, members, "kms:EnableKey", State::Enabled)
}

pub(super) fn disable(call: &mut Call<'_>, members: &Members) -> Answer {
    set(call, members, "kms:DisableKey", State::Disabled)
}

fn set(call: &mut Call<'_>, members: &Members, action: &str, state: State) -> Answer {
    let key_arn = call.named_key(members)?;
    call.check_own_account(&key_arn, action)?;
    call.authorize(&key_arn, action, Context::new())?;
    let key = call.key_mut(&key_arn)?;
    key.check_not_pending()?;
    key.state.set(state);
    Ok(None)
}

pub(super) fn schedule_deletion(call: &mut Call<'_>, members: &Members) -> Answer {
    let days = members
        .number("PendingWindowInDays")?
        .unwrap_or(DEFAULT_WINDOW);
    if !(7..=30).contains(&days) {
        return Err(ApiError::constraint(
            &format!("'{days}'"),
            "pendingWindowInDays",
            "have value between 7 and 30",
        ));
    }
    let key_arn = call.named_key(members)?;
    call.check_own_account(&key_arn, "kms:ScheduleKeyDeletion")?;
    let window = Context::from([(
        "kms:schedulekeydeletionpendingwindowindays".to_owned(),
        vec![days.to_string()],
    )]);
    call.authorize(&key_arn, "kms:ScheduleKeyDeletion", window)?;
    let at = call.now.plus_seconds(days * DAY_SECONDS);
    let key = call.key_mut(&key_arn)?;
    key.check_not_pending()?;
    key.state.set(State::PendingDeletion { at });
    Ok(Some(json!({
        "DeletionDate": at.epoch(),
        "KeyId": key_arn,
        "KeyState": key.state.shown().name(),
        "PendingWindowInDays": days,
    })))
}

/// The key comes back disabled, whatever it was before.
pub(super) fn cancel_deletion(call: &mut Call<'_>, members: &Members) -> Answer {
    let key_arn = call.named_key(members)?;
    call.check_own_account(&key_arn, "kms:CancelKeyDeletion")?;
    call.authorize(&key_arn, "kms:CancelKeyDeletion", Context::new())?;
    let key = call.key_mut(&key_arn)?;
    if !matches!(key.state.shown(), State::PendingDeletion { .. }) {
        return Err(ApiError::client(
            "KMSInvalidStateException",
            format!("{key_arn} is not pending deletion."),
        ));
    }
    key.state.set(State::Disabled);
    Ok(Some(json!({ "KeyId": key_arn })))
}
