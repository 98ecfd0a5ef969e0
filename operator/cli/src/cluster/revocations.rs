//! revoke and unrevoke: lines of two annotations, of which none is lost when the next one is added.

use chamber_api::{ChamberCluster, VerbsStatus, names};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use measurement::Pcr;
use serde_json::json;

use super::refused;
use super::verbs::{self, PATIENCE};
use crate::arguments::Revocation;
use crate::output::{self, Answer, Exit, Failure};

/// Takes an image out of every policy at once, and says where it still is after a while.
pub async fn revoke(clusters: &Api<ChamberCluster>, asked: &Revocation) -> Result<Answer, Failure> {
    let name = &asked.target.name;
    let found = clusters.get(name).await;
    let found = found.map_err(|why| refused(name, &why))?;
    let short: String = asked.image.to_string().chars().take(10).collect();
    let alone = runs_alone(&found, &asked.image);
    if alone && !asked.yes && !asked.dry_run {
        confirm(name)?;
    }
    let moves = [names::UNREVOKE_ANNOTATION, names::REVOKE_ANNOTATION];
    let answer = say(clusters, asked, moves, |verbs| verbs.revoke.as_ref()).await?;
    if asked.dry_run {
        return Ok(previewed(answer, &admits(&found, &short), alone));
    }
    if answer.exit != Exit::Clean {
        return Ok(answer);
    }
    let gone = |found: Option<&ChamberCluster>| found.is_some_and(|c| admits(c, &short).is_empty());
    let waited = await_condition(clusters.clone(), name, gone);
    if tokio::time::timeout(PATIENCE, waited).await.is_ok() {
        return Ok(answer);
    }
    let cluster = clusters
        .get(name)
        .await
        .map_err(|why| refused(name, &why))?;
    let status = cluster.status.clone().unwrap_or_default();
    Ok(Answer {
        exit: Exit::of(false),
        text: format!(
            "{}\nkey {} still admits it: {}",
            answer.text,
            admits(&cluster, &short).join(", "),
            crate::output::printable(&status.message.unwrap_or_default())
        ),
    })
}

/// What a revocation would meet, as status has it.
fn previewed(mut answer: Answer, keys: &[String], alone: bool) -> Answer {
    let keys = match keys {
        [] => "no key admits it now".to_owned(),
        keys => format!("it would leave the policy of key {}", keys.join(", ")),
    };
    let chambers = if alone {
        "; every unsealed chamber runs it, and would stay sealed once it restarts"
    } else {
        ""
    };
    answer.text = format!("{}\n{keys}{chambers}", answer.text);
    answer
}

/// Gives a revocation up.
pub async fn unrevoke(
    clusters: &Api<ChamberCluster>,
    asked: &Revocation,
) -> Result<Answer, Failure> {
    let name = &asked.target.name;
    if !asked.yes && !asked.dry_run {
        let what = format!(
            "enclaves of {} may have the keys of {name} again",
            asked.image
        );
        output::confirm(&what, name, "the revocation stands")?;
    }
    let moves = [names::REVOKE_ANNOTATION, names::UNREVOKE_ANNOTATION];
    say(clusters, asked, moves, |verbs| verbs.unrevoke.as_ref()).await
}

/// Takes the image's line out of one annotation and puts it into the other, in one write.
async fn say(
    clusters: &Api<ChamberCluster>,
    asked: &Revocation,
    [from, to]: [&str; 2],
    handled: impl Fn(&VerbsStatus) -> Option<&String>,
) -> Result<Answer, Failure> {
    let (name, image) = (&asked.target.name, &asked.image);
    let reason = asked
        .reason
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    if reason.is_empty() {
        let why = "--reason is empty: it is what the next person will know of it";
        return Err(Failure::Usage(why.to_owned()));
    }
    let found = clusters
        .get(name)
        .await
        .map_err(|why| refused(name, &why))?;
    let lines = |annotation: &str| without(found.annotations().get(annotation), image);
    let (left, mut added) = (lines(from), lines(to));
    added.push(format!("{image} {reason}"));
    let token = added.join("\n");
    let left = (!left.is_empty()).then(|| left.join("\n"));
    // The version makes a line that somebody else added meanwhile a conflict, and not a loss.
    let body = json!({"metadata": {
        "resourceVersion": found.resource_version(),
        "annotations": {from: left, to: &token},
    }});
    let before = verbs::patch(clusters, name, &body, asked.dry_run).await?;
    if asked.dry_run {
        return Ok(verbs::judged(name, to, &token));
    }
    verbs::answer(clusters, name, &before, &token, handled).await
}

/// Whether every chamber that serves runs this image, as far as status says.
fn runs_alone(cluster: &ChamberCluster, image: &Pcr) -> bool {
    let Some(status) = &cluster.status else {
        return false;
    };
    let rollover = status.rollover.iter();
    let in_flight = rollover.flat_map(|rollover| rollover.from.iter().chain([&rollover.to]));
    let known: Vec<_> = in_flight.chain(&status.current).collect();
    let image = image.to_string();
    let runs = |revision: &String| {
        let mut of_it = known.iter().filter(|release| release.revision == *revision);
        of_it.any(|release| release.measurement.image_sha384 == image)
    };
    let mut serving = status
        .chambers
        .iter()
        .filter(|chamber| chamber.unsealed_since.is_some())
        .peekable();
    serving.peek().is_some() && serving.all(|chamber| runs(&chamber.revision))
}

/// Asks whoever is at the terminal for the resource's name.
fn confirm(name: &str) -> Result<(), Failure> {
    let what = format!(
        "every unsealed chamber of {name} runs this image: once they restart they stay sealed, until another release runs"
    );
    output::confirm(&what, name, "nothing was revoked")
}

/// The lines of an annotation that are about other images.
fn without(annotation: Option<&String>, image: &Pcr) -> Vec<String> {
    let image = image.to_string();
    let lines = annotation.into_iter().flat_map(|text| text.lines());
    lines
        .filter(|line| !line.trim().is_empty() && line.split_whitespace().next() != Some(&image))
        .map(str::to_owned)
        .collect()
}

/// The keys whose policy, as status has it, admits an image that begins so.
fn admits(cluster: &ChamberCluster, short: &str) -> Vec<String> {
    let keys = cluster.status.iter().flat_map(|status| &status.keys);
    keys.filter(|key| key.admitted.iter().any(|image| image == short))
        .map(|key| key.name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_image_that_serves_is_known_as_such() {
        let image = |byte| Pcr::from_bytes([byte; 48]);
        let release = |byte: u8, revision: &str| {
            json!({"image": "i", "revision": revision,
                "measurement": {"imageSha384": image(byte).to_string()}})
        };
        let cluster = |chambers: &[(&str, bool)]| -> ChamberCluster {
            let chamber = |(revision, unsealed): &(&str, bool)| {
                let since = unsealed.then_some("2026-11-01T10:00:00Z");
                json!({"pod": revision, "revision": revision, "unsealedSince": since})
            };
            let chambers: Vec<_> = chambers.iter().map(chamber).collect();
            serde_json::from_value(json!({
                "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
                "metadata": {"name": "signer"},
                "spec": {"clusterId": "c", "release": {"image": "i", "measurement": {"imageSha384": "a"}},
                    "keys": {"threshold": 1, "shares": []},
                    "verification": {"prometheus": {"url": "http://p"}}},
                "status": {"current": release(1, "one"), "chambers": chambers,
                    "rollover": {"from": release(1, "one"), "to": release(2, "two"),
                        "startedAt": "2026-11-01T10:00:00Z", "progressedAt": "2026-11-01T10:00:00Z"}}
            }))
            .unwrap()
        };
        let both = cluster(&[("one", true), ("two", true)]);
        assert!(!runs_alone(&both, &image(1)) && !runs_alone(&both, &image(2)));
        let one = cluster(&[("one", true), ("two", false)]);
        assert!(runs_alone(&one, &image(1)) && !runs_alone(&one, &image(2)));
        assert!(!runs_alone(&cluster(&[("one", false)]), &image(1)));
        assert!(!runs_alone(&cluster(&[]), &image(1)));
    }

    #[test]
    fn another_image_s_line_stays() {
        let image = |byte| Pcr::from_bytes([byte; 48]);
        let text = format!("{} a\n\n{} b", image(1), image(2));
        let left = without(Some(&text), &image(1));
        assert_eq!(left, [format!("{} b", image(2))]);
        assert!(without(None, &image(1)).is_empty());
    }
}
