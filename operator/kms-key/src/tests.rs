use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::error::ErrorMetadata;
use aws_sdk_kms::operation::get_key_policy::{GetKeyPolicyError, GetKeyPolicyOutput};
use aws_sdk_kms::operation::list_resource_tags::ListResourceTagsOutput;
use aws_sdk_kms::operation::put_key_policy::PutKeyPolicyError;
use aws_sdk_kms::types::Tag;
use aws_smithy_mocks::{RuleMode, mock, mock_client};

use super::*;

const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/a";

fn throttled() -> ErrorMetadata {
    ErrorMetadata::builder().code("ThrottlingException").build()
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_read_again_and_sent_once() {
    let read = mock!(Client::get_key_policy)
        .sequence()
        .error(|| GetKeyPolicyError::generic(throttled()))
        .output(|| GetKeyPolicyOutput::builder().policy("{}").build())
        .build();
    let write =
        mock!(Client::put_key_policy).then_error(|| PutKeyPolicyError::generic(throttled()));
    let client = mock_client!(aws_sdk_kms, RuleMode::MatchAny, [&read, &write], |config| {
        config.retry_config(RetryConfig::standard())
    });
    let key = Key { arn: ARN, client };
    assert_eq!(key.policy().await.unwrap(), "{}");
    let refused = key.put_policy("{}".to_owned()).await.unwrap_err();
    assert!(refused.passes(), "{refused}");
    assert_eq!((read.num_calls(), write.num_calls()), (2, 1));
}

#[tokio::test]
async fn tags_of_every_page_are_read() {
    let page = |name: &str, next: Option<&str>| {
        let tag = Tag::builder().tag_key(name).tag_value("x").build().unwrap();
        let page = ListResourceTagsOutput::builder().tags(tag);
        page.truncated(next.is_some())
            .set_next_marker(next.map(str::to_owned))
            .build()
    };
    let first = mock!(Client::list_resource_tags)
        .match_requests(|request| request.marker().is_none())
        .then_output(move || page("a", Some("more")));
    let second = mock!(Client::list_resource_tags)
        .match_requests(|request| request.marker() == Some("more"))
        .then_output(move || page("b", None));
    let client = mock_client!(aws_sdk_kms, RuleMode::MatchAny, [&first, &second]);
    let tags = Key { arn: ARN, client }.tags().await.unwrap();
    assert_eq!(tags.into_keys().collect::<Vec<_>>(), ["a", "b"]);
}
