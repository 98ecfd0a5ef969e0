//! Waiting by watching, never by polling; every wait ends, and says what it still saw.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Result, bail};
use futures::{Stream, StreamExt, pin_mut};
use kube::api::Api;
use kube::runtime::{WatchStreamExt, watcher};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

/// The usual patience.
pub const MINUTE: Duration = Duration::from_mins(1);

/// What a look at the object gave.
pub enum Seen<T> {
    /// That is it.
    Yes(T),
    /// Not there yet, and why.
    NotYet(String),
    /// It will never be.
    Never(String),
}

/// Watches one object until `look` says yes. The error names `what`, the limit, and the last reason.
pub async fn until<K, T>(
    api: &Api<K>,
    name: &str,
    limit: Duration,
    what: &str,
    look: impl FnMut(Option<&K>) -> Seen<T>,
) -> Result<T>
where
    K: kube::Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let objects = watcher::watch_object(api.clone(), name).default_backoff();
    until_seen(objects, name, limit, what, look).await
}

async fn until_seen<K, T>(
    objects: impl Stream<Item = Result<Option<K>, watcher::Error>>,
    name: &str,
    limit: Duration,
    what: &str,
    mut look: impl FnMut(Option<&K>) -> Seen<T>,
) -> Result<T> {
    pin_mut!(objects);
    let deadline = Instant::now() + limit;
    let mut last = "nothing was seen".to_owned();
    loop {
        match timeout_at(deadline, objects.next()).await {
            Err(_) => bail!("waited {limit:?} for {what} ({name}): {last}"),
            Ok(None) => bail!("the watch of {name} ended while waiting for {what}: {last}"),
            Ok(Some(Err(error))) => last = format!("watch: {error}"),
            Ok(Some(Ok(object))) => match look(object.as_ref()) {
                Seen::Yes(found) => return Ok(found),
                Seen::NotYet(why) => last = why,
                Seen::Never(why) => bail!("{what} ({name}) cannot happen: {why}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;

    type Look = Result<Option<u32>, watcher::Error>;

    fn saw<const N: usize>(values: [u32; N]) -> impl Stream<Item = Look> {
        let looks = values.map(|value| Ok(Some(value)));
        stream::iter(looks).chain(stream::pending())
    }

    fn at_least_three(value: Option<&u32>) -> Seen<u32> {
        match value {
            Some(value) if *value >= 3 => Seen::Yes(*value),
            Some(0) => Seen::Never("zero".into()),
            other => Seen::NotYet(format!("{other:?}")),
        }
    }

    #[tokio::test]
    async fn returns_the_first_that_fits() {
        let objects = saw([1, 3, 4]);
        let found = until_seen(objects, "n", MINUTE, "three", at_least_three).await;
        assert_eq!(found.unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn says_what_it_last_saw_when_time_is_over() {
        let objects = saw([1, 2]);
        let error = until_seen(objects, "n", MINUTE, "three", at_least_three)
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "waited 60s for three (n): Some(2)");
    }

    #[tokio::test]
    async fn gives_up_at_once_on_never() {
        let objects = saw([0]);
        let error = until_seen(objects, "n", MINUTE, "three", at_least_three)
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "three (n) cannot happen: zero");
    }
}
