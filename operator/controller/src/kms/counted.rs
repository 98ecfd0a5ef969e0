//! Each attempt of a call to KMS or STS is counted: the SDK repeats what was throttled, and says nothing of it.

use std::time::Instant;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use http_body_util::BodyExt;

use crate::telemetry::{Calls, Ended};

/// Error codes of KMS and STS for too many calls.
const THROTTLED: [&str; 4] = [
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// The same HTTP client, which counts what goes through it.
#[derive(Clone, Debug)]
pub struct Counted {
    /// The client.
    pub inner: SharedHttpClient,
    /// Where it is counted.
    pub calls: Calls,
}

impl HttpClient for Counted {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(CountedConnector {
            inner: self.inner.http_connector(settings, components),
            calls: self.calls.clone(),
        })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.inner.validate_base_client_config(components, config)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.inner.validate_final_config(components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

#[derive(Debug)]
struct CountedConnector {
    inner: SharedHttpConnector,
    calls: Calls,
}

impl HttpConnector for CountedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let under_way = UnderWay {
            calls: self.calls.clone(),
            call: name(&request),
            began: Instant::now(),
            ended: Ended::Unanswered,
        };
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let mut under_way = under_way;
            let mut answer = answer.await?;
            under_way.ended = ended(&mut answer).await?;
            Ok(answer)
        })
    }
}

/// An attempt that is counted when this is dropped: the SDK gives up what takes too long.
struct UnderWay {
    calls: Calls,
    call: String,
    began: Instant,
    ended: Ended,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.calls.aws(&self.call, self.ended, self.began.elapsed());
    }
}

/// The call as its permission is named. KMS has it in a header, STS in the body.
fn name(request: &HttpRequest) -> String {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    if let Some((_, operation)) = target.split_once("TrentService.") {
        return format!("kms:{operation}");
    }
    let form = request.body().bytes().unwrap_or_default();
    let form = std::str::from_utf8(form).unwrap_or_default();
    let operation = form
        .split('&')
        .find_map(|pair| pair.strip_prefix("Action="));
    operation.map_or_else(
        || "other".to_owned(),
        |operation| format!("sts:{operation}"),
    )
}

/// How it ended. What was throttled shows in the body alone, which is read and put back where it is an error's.
async fn ended(answer: &mut HttpResponse) -> Result<Ended, ConnectorError> {
    let status = answer.status().as_u16();
    if status < 400 {
        return Ok(Ended::Done);
    }
    let body = answer.take_body().collect().await;
    let body = body.map_err(ConnectorError::io)?.to_bytes();
    let ended = match status {
        429 => Ended::Throttled,
        _ if THROTTLED.contains(&code(&body).as_str()) => Ended::Throttled,
        500.. => Ended::Failed,
        _ => Ended::Refused,
    };
    *answer.body_mut() = SdkBody::from(body);
    Ok(ended)
}

/// The code of an error, in KMS's JSON or in STS's XML.
fn code(body: &[u8]) -> String {
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) {
        let kind = json["__type"].as_str().unwrap_or_default();
        return kind.rsplit('#').next().unwrap_or_default().to_owned();
    }
    let text = String::from_utf8_lossy(body);
    let code = text.split_once("<Code>").map_or("", |(_, rest)| rest);
    code.split('<').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::http::http_client_fn;
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;

    use super::*;
    use crate::telemetry::Telemetry;

    const SLOW_DOWN: &str = "{\"__type\":\"com.amazonaws.kms#ThrottlingException\"}";
    const STS_SLOW_DOWN: &str =
        "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code></Error></ErrorResponse>";
    const DENIED: &str =
        "{\"__type\":\"AccessDeniedException\",\"message\":\"Throttling is not it\"}";

    fn request(operation: &str) -> HttpRequest {
        match operation.split_once(':') {
            Some(("kms", operation)) => {
                let mut request = HttpRequest::new(SdkBody::from("{}"));
                let target = format!("TrentService.{operation}");
                request.headers_mut().insert("x-amz-target", target);
                request
            }
            _ => HttpRequest::new(SdkBody::from("Action=AssumeRole&Version=2011-06-15")),
        }
    }

    /// What a service that answers this was called, and the body that the SDK gets.
    async fn told(operation: &str, status: u16, body: &'static str) -> (String, String) {
        let telemetry = Telemetry::default();
        let answers = SharedHttpConnector::new(Answers(status, body));
        let client = Counted {
            inner: http_client_fn(move |_, _| answers.clone()),
            calls: telemetry.calls(),
        };
        let settings = HttpConnectorSettings::default();
        let components = RuntimeComponentsBuilder::for_tests().build().unwrap();
        let connector = client.http_connector(&settings, &components);
        let mut answer = connector.call(request(operation)).await.unwrap();
        let kept = answer.take_body().collect().await.unwrap().to_bytes();
        let text = telemetry.exposition().unwrap();
        let start = "chamber_operator_aws_calls_total";
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix(start)).unwrap();
        (line.to_owned(), String::from_utf8(kept.to_vec()).unwrap())
    }

    #[derive(Debug)]
    struct Answers(u16, &'static str);

    impl HttpConnector for Answers {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let status = self.0.try_into().unwrap();
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(self.1))))
        }
    }

    #[tokio::test]
    async fn an_attempt_is_told_by_its_permission_and_how_it_ended_and_its_body_is_kept() {
        for (call, status, body, result) in [
            ("kms:GetKeyPolicy", 200, "{\"Policy\":\"{}\"}", "ok"),
            ("kms:GetKeyPolicy", 400, SLOW_DOWN, "throttled"),
            ("kms:PutKeyPolicy", 400, DENIED, "refused"),
            ("kms:PutKeyPolicy", 500, "{}", "failed"),
            ("sts:AssumeRole", 400, STS_SLOW_DOWN, "throttled"),
            ("sts:AssumeRole", 429, "", "throttled"),
        ] {
            let (line, kept) = told(call, status, body).await;
            assert_eq!(line, format!("{{call=\"{call}\",result=\"{result}\"}} 1"));
            assert_eq!(kept, body);
        }
    }
}
