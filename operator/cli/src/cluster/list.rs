//! list: a line for each of them.

use chamber_api::ChamberCluster;
use kube::{Client, ResourceExt};

use super::{listed, picture, these, told};
use crate::arguments::Listed;
use crate::output::{self, Answer, Exit, Failure};

const HEAD: [&str; 7] = [
    "NAMESPACE",
    "NAME",
    "STEP",
    "REASON",
    "RELEASE",
    "CHAMBERS",
    "KEYS",
];

/// A table. Exit status 1 where a person has to do something for one of them.
pub async fn run(client: &Client, asked: &Listed) -> Result<Answer, Failure> {
    let these = these(client, asked.all_namespaces);
    let found = listed(&these, asked.selector.as_deref()).await?;
    let values = found.iter().map(told).collect();
    let text = output::form(&values, asked.output, || table(&found))?;
    Ok(Answer {
        text,
        exit: Exit::of(!found.iter().any(picture::stalled)),
    })
}

fn table(found: &[ChamberCluster]) -> String {
    if found.is_empty() {
        return "no ChamberCluster".to_owned();
    }
    let head = HEAD.map(str::to_owned);
    let rows: Vec<_> = [head].into_iter().chain(found.iter().map(row)).collect();
    let width = |column: usize| {
        let each = rows.iter().map(|row| row[column].chars().count());
        each.max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..HEAD.len()).map(width).collect();
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

fn row(cluster: &ChamberCluster) -> [String; 7] {
    let status = cluster.status.clone().unwrap_or_default();
    let or_none = |text: Option<String>| match text {
        Some(text) if !text.is_empty() => output::printable(&text),
        _ => "-".to_owned(),
    };
    [
        cluster.namespace().unwrap_or_default(),
        cluster.name_any(),
        or_none(status.step),
        or_none(status.reason),
        or_none(status.release),
        or_none(status.chambers_ready),
        or_none(status.keys_in_sync),
    ]
}
