//! One server, one namespace's credentials, one question at a time.

use std::collections::HashMap;

use prometheus_http_query::Client;
use prometheus_http_query::response::PromqlResult;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Response, Url};
use serde::Deserialize;

use super::error::{Error, innermost};
use super::servers::text;

/// Milliseconds that Prometheus may take for one query.
const QUERY_MS: i64 = 5000;
/// Bytes of an answer, at most: more is no answer about the pods of one cluster.
pub const LIMIT: usize = 1 << 20;
/// Characters of Prometheus' own words that are passed on.
const WORDS: usize = 300;

/// One series of an instant vector: labels and value.
pub type Series = (HashMap<String, String>, f64);

/// A server and what is shown to it.
pub struct Session {
    client: Client,
    url: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// An answer of the API.
#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Answer {
    Success {
        data: PromqlResult,
    },
    Error {
        #[serde(rename = "errorType", default)]
        kind: String,
        #[serde(rename = "error", default)]
        message: String,
    },
}

impl Session {
    pub(super) fn new(
        client: reqwest::Client,
        url: &Url,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<Self, Error> {
        let url = text(url).to_owned();
        let client = Client::from(client, &url).map_err(|_| Error::Url)?;
        Ok(Self {
            client,
            url,
            headers,
        })
    }

    /// The series of an instant vector. Values that are no numbers are left out: they are unknown.
    pub async fn query(&self, query: &str) -> Result<Vec<Series>, Error> {
        let mut question = self.client.query(query).timeout(QUERY_MS);
        for (name, value) in &self.headers {
            question = question.header(name.clone(), value.clone());
        }
        let answer = question.get_raw().await;
        let response = answer.map_err(|error| match error {
            prometheus_http_query::Error::Client(error) => {
                self.lost(error.inner().map_or_else(String::new, innermost))
            }
            _ => Error::Url,
        })?;
        let status = response.status();
        if status.is_redirection() {
            return Err(Error::Redirect {
                url: self.url.clone(),
                status: status.as_u16(),
            });
        }
        let body = self.body(response, query).await?;
        let foreign = |_| Error::Foreign {
            url: self.url.clone(),
            status: status.as_u16(),
        };
        match serde_json::from_slice(&body).map_err(foreign)? {
            Answer::Success { data } => series(query, &data),
            Answer::Error { kind, message } => {
                let words = format!("{kind}: {}", message.replace(char::is_control, " "));
                Err(Error::Refused {
                    url: self.url.clone(),
                    query: query.to_owned(),
                    why: words.chars().take(WORDS).collect(),
                })
            }
        }
    }

    fn lost(&self, why: String) -> Error {
        Error::Connection {
            url: self.url.clone(),
            why,
        }
    }

    /// The body, while it is not too large: a length that is announced is not trusted.
    async fn body(&self, mut response: Response, query: &str) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.lost(innermost(&error)))?
        {
            if body.len() + chunk.len() > LIMIT {
                return Err(Error::Size {
                    url: self.url.clone(),
                    query: query.to_owned(),
                    limit: LIMIT,
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn series(query: &str, data: &PromqlResult) -> Result<Vec<Series>, Error> {
    let Some(vector) = data.data().as_vector() else {
        return Err(Error::Shape {
            query: query.to_owned(),
            found: "a scalar or a matrix",
        });
    };
    let all = vector
        .iter()
        .map(|series| (series.metric().clone(), series.sample().value()));
    Ok(all.filter(|(_, value)| value.is_finite()).collect())
}
