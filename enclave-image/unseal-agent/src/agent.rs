//! The agent at work, and how it tells of it.

use std::sync::Arc;
use std::time::Duration;

use chamber_link::{Sender, ToHost};

use crate::gate::Gate;
use crate::{Authorization, ShareReport, Tools};

/// The agent at work, with what it may do.
pub(crate) struct Agent<N, K> {
    pub tools: Tools<N, K>,
    pub sender: Sender<ToHost>,
    pub authorization: Authorization,
    pub gate: Arc<Gate>,
}

pub(crate) fn failed(message: String, delay: Duration) -> ToHost {
    ToHost::AttemptFailed {
        message,
        retry_in_millis: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
    }
}

pub(crate) fn share(report: ShareReport) -> ToHost {
    ToHost::Share {
        key: report.key_arn,
        result: report.result,
        detail: report.detail,
    }
}
