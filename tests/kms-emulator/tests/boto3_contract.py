"""The emulator as boto3 sees it. Arguments: the URL of the KMS port and of the admin port.

The configuration is that of `boto3_config.py`. Ends with a line `N passed, M failed`.
"""

import json
import sys
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from boto3_config import ACCOUNT, ADMIN_ROLE, CREDENTIALS, REGION, SIGNING_KEYS, policy

KMS_URL, ADMIN_URL = sys.argv[1:3]
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/share-a"
ONCE = Config(retries={"total_max_attempts": 1, "mode": "standard"})


def client(service, who):
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=KMS_URL,
        config=ONCE,
        **CREDENTIALS[who],
    )


def refused(call, code, status=400):
    """Runs a call that has to be refused; returns the error's body."""
    try:
        call()
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found == code, f"{found} instead of {code}: {error}"
        metadata = error.response["ResponseMetadata"]
        assert metadata["HTTPStatusCode"] == status, metadata
        assert metadata["RequestId"], metadata
        return error.response["Error"]
    raise AssertionError(f"was not refused with {code}")


def knobs(**values):
    body = json.dumps(values).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(
        f"{ADMIN_URL}/knobs", data=body, headers=headers, method="PUT"
    )
    urllib.request.urlopen(request).read()


def describe_key_has_times_and_a_state():
    metadata = client("kms", "admin").describe_key(KeyId="share-a")["KeyMetadata"]
    assert metadata["Arn"] == KEY, metadata
    assert metadata["KeyState"] == "Enabled" and metadata["Enabled"], metadata
    assert metadata["CreationDate"].year >= 2026, metadata


def policy_is_read_back_with_the_same_meaning():
    kms = client("kms", "admin")
    wanted = policy(["aa" * 48, "bb" * 48])
    kms.put_key_policy(KeyId=KEY, Policy=json.dumps(wanted))
    found = json.loads(kms.get_key_policy(KeyId=KEY)["Policy"])
    condition = found["Statement"][2]["Condition"]["StringEqualsIgnoreCase"]
    images = condition["kms:RecipientAttestation:ImageSha384"]
    assert sorted(images) == ["aa" * 48, "bb" * 48], images
    assert kms.list_key_policies(KeyId=KEY)["PolicyNames"] == ["default"]


def encrypt_works_and_decrypt_needs_attestation():
    kms = client("kms", "chamber")
    sealed = kms.encrypt(KeyId=KEY, Plaintext=b"share", EncryptionContext={"index": "1"})
    assert sealed["KeyId"] == KEY, sealed
    error = refused(
        lambda: kms.decrypt(
            CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"index": "1"}
        ),
        "AccessDeniedException",
    )
    assert error["Message"].endswith("with an explicit deny in a resource-based policy"), error


def a_document_that_is_none_is_invalid():
    kms = client("kms", "chamber")
    sealed = kms.encrypt(KeyId=KEY, Plaintext=b"share")
    recipient = {
        "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
        "AttestationDocument": b"noise",
    }
    refused(
        lambda: kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], Recipient=recipient),
        "ValidationException",
    )


def an_open_key_goes_round():
    kms = client("kms", "root")
    key = kms.create_key(Description="open", Tags=[{"TagKey": "a", "TagValue": "b"}])
    key_id = key["KeyMetadata"]["KeyId"]
    assert kms.list_resource_tags(KeyId=key_id)["Tags"] == [{"TagKey": "a", "TagValue": "b"}]
    sealed = kms.encrypt(KeyId=key_id, Plaintext=b"plain")
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"])
    assert opened["Plaintext"] == b"plain", opened
    data_key = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
    opened = kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"])
    assert opened["Plaintext"] == data_key["Plaintext"]
    refused(
        lambda: kms.decrypt(CiphertextBlob=b"noise", KeyId=key_id), "InvalidCiphertextException"
    )


def states_follow_each_other():
    kms = client("kms", "admin")
    kms.disable_key(KeyId="share-b")
    chamber = client("kms", "chamber")
    arn = KEY.replace("share-a", "share-b")
    refused(lambda: chamber.encrypt(KeyId=arn, Plaintext=b"x"), "DisabledException")
    answer = kms.schedule_key_deletion(KeyId="share-b", PendingWindowInDays=7)
    assert answer["KeyState"] == "PendingDeletion" and answer["DeletionDate"], answer
    refused(lambda: kms.enable_key(KeyId="share-b"), "KMSInvalidStateException")
    kms.cancel_key_deletion(KeyId="share-b")
    kms.enable_key(KeyId="share-b")
    chamber.encrypt(KeyId=arn, Plaintext=b"x")


def tags_change():
    kms = client("kms", "admin")
    kms.tag_resource(KeyId="share-a", Tags=[{"TagKey": "owner", "TagValue": "one"}])
    kms.untag_resource(KeyId="share-a", TagKeys=["owner"])
    assert kms.list_resource_tags(KeyId="share-a")["Tags"] == []


def locking_oneself_out_is_malformed():
    locked = policy(["aa" * 48])
    locked["Statement"][1]["Action"] = "kms:Describe*"
    refused(
        lambda: client("kms", "admin").put_key_policy(KeyId=KEY, Policy=json.dumps(locked)),
        "MalformedPolicyDocumentException",
    )


def roles_are_assumed_with_the_external_id():
    sts = client("sts", "operator")
    request = {"RoleArn": ADMIN_ROLE, "RoleSessionName": "contract"}
    refused(lambda: sts.assume_role(**request), "AccessDenied", 403)
    answer = sts.assume_role(ExternalId="uid/demo/signer", DurationSeconds=900, **request)
    issued = answer["Credentials"]
    session = {
        "aws_access_key_id": issued["AccessKeyId"],
        "aws_secret_access_key": issued["SecretAccessKey"],
        "aws_session_token": issued["SessionToken"],
    }
    common = {"region_name": REGION, "endpoint_url": KMS_URL, "config": ONCE}
    identity = boto3.client("sts", **common, **session).get_caller_identity()
    assert identity["Arn"].endswith(":assumed-role/ChamberKmsKeyAdmin/contract"), identity
    boto3.client("kms", **common, **session).get_key_policy(KeyId=KEY)


def a_wrong_secret_is_an_invalid_signature():
    wrong = dict(CREDENTIALS["root"], aws_secret_access_key="wrong")
    common = {"region_name": REGION, "endpoint_url": KMS_URL, "config": ONCE}
    kms = boto3.client("kms", **common, **wrong)
    refused(lambda: kms.describe_key(KeyId=KEY), "InvalidSignatureException")
    sts = boto3.client("sts", **common, **wrong)
    refused(sts.get_caller_identity, "SignatureDoesNotMatch", 403)


def missing_keys_are_not_found():
    kms = client("kms", "admin")
    error = refused(lambda: kms.describe_key(KeyId="none"), "NotFoundException")
    assert error["Message"] == f"Key '{KEY.replace('share-a', 'none')}' does not exist", error


def keys_sign_by_the_rules_of_their_kind():
    root, operator = client("kms", "root"), client("kms", "operator")
    for name, algorithm, kind in [
        ("p384", "ECDSA_SHA_384", "DIGEST"),
        ("ed25519", "ED25519_SHA_512", "RAW"),
    ]:
        key = {"KeyId": f"authority-{name}"}
        described = root.describe_key(**key)["KeyMetadata"]
        public = root.get_public_key(**key)
        for found in (described, public):
            assert found["KeySpec"] == SIGNING_KEYS[name], found
            assert found["KeyUsage"] == "SIGN_VERIFY", found
            assert algorithm in found["SigningAlgorithms"], found
        assert public["PublicKey"][:1] == b"\x30", public
        message = {"Message": b"d" * 48, "SigningAlgorithm": algorithm}
        signed = operator.sign(MessageType=kind, **key, **message)
        assert signed["SigningAlgorithm"] == algorithm and signed["Signature"], signed
        refused(lambda: operator.get_public_key(**key), "AccessDeniedException")
        other = {"DIGEST": "RAW", "RAW": "DIGEST"}[kind]
        if name == "ed25519":
            refused(
                lambda: operator.sign(MessageType=other, **key, **message), "ValidationException"
            )
        refused(lambda: root.encrypt(Plaintext=b"x", **key), "InvalidKeyUsageException")
    refused(lambda: root.get_public_key(KeyId=KEY), "UnsupportedOperationException")


def throttling_is_seen_as_throttling():
    knobs(throttle={"DescribeKey": 1})
    kms = client("kms", "admin")
    refused(lambda: kms.describe_key(KeyId=KEY), "ThrottlingException")
    kms.describe_key(KeyId=KEY)


CHECKS = [
    describe_key_has_times_and_a_state,
    policy_is_read_back_with_the_same_meaning,
    encrypt_works_and_decrypt_needs_attestation,
    a_document_that_is_none_is_invalid,
    an_open_key_goes_round,
    states_follow_each_other,
    tags_change,
    locking_oneself_out_is_malformed,
    roles_are_assumed_with_the_external_id,
    a_wrong_secret_is_an_invalid_signature,
    missing_keys_are_not_found,
    keys_sign_by_the_rules_of_their_kind,
    throttling_is_seen_as_throttling,
]


def main():
    failed = 0
    for check in CHECKS:
        try:
            check()
            print(f"ok     {check.__name__}")
        except Exception as error:  # one check's failure must not hide the others' results
            failed += 1
            print(f"FAILED {check.__name__}: {type(error).__name__}: {error}")
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
