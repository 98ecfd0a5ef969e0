"""The configuration that the boto3 contract runs against. Argument: the root's PEM; prints the JSON file."""

import json
import sys

REGION = "us-east-1"
ACCOUNT = "111122223333"
IAM = f"arn:aws:iam::{ACCOUNT}"
STS = f"arn:aws:sts::{ACCOUNT}"
ADMIN_ROLE = f"{IAM}:role/ChamberKmsKeyAdmin"
ENCLAVE_ROLE = f"{IAM}:role/ChamberEnclaveRole-demo-local-signer"

SIGNING_KEYS = {"p384": "ECC_NIST_P384", "ed25519": "ECC_NIST_EDWARDS25519"}

PRINCIPALS = {
    "root": f"{IAM}:root",
    "operator": f"{IAM}:user/chamber-operator",
    "admin": f"{STS}:assumed-role/ChamberKmsKeyAdmin/person",
    "chamber": f"{STS}:assumed-role/ChamberEnclaveRole-demo-local-signer/chamber",
}


def _credential(who, principal):
    credential = {
        "aws_access_key_id": f"KEY{who.upper()}",
        "aws_secret_access_key": f"secret-of-{who}",
    }
    if principal.startswith(STS):
        credential["aws_session_token"] = f"token-of-{who}"
    return credential


CREDENTIALS = {who: _credential(who, arn) for who, arn in PRINCIPALS.items()}


def _allow(sid, principal, action, **more):
    statement = {"Sid": sid, "Effect": "Allow", "Principal": {"AWS": principal}}
    return statement | {"Action": action, "Resource": "*"} | more


def policy(images):
    """The five statements, admitting these measurements (hex)."""
    attested = {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:ImageSha384": images}}
    admin = ["kms:Create*", "kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*"]
    admin += ["kms:Revoke*", "kms:Disable*", "kms:Get*", "kms:Delete*", "kms:TagResource"]
    admin += ["kms:UntagResource", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"]
    data = ["kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair"]
    data += ["kms:GenerateDataKeyPairWithoutPlaintext", "kms:GenerateDataKeyWithoutPlaintext"]
    data += ["kms:ReEncryptFrom", "kms:ReEncryptTo"]
    decrypt = "AllowChamberEnclaveDecryptWithAttestation"
    deny = {
        "Sid": "DenyDataOpsWithoutAttestation",
        "Effect": "Deny",
        "Principal": "*",
        "Action": data,
        "Resource": "*",
        "Condition": {"Null": {"kms:RecipientAttestation:ImageSha384": "true"}},
    }
    statements = [
        _allow("EnableIAMRootPermissionsBreakGlass", f"{IAM}:root", "kms:*"),
        _allow("AllowKeyAdministrators", ADMIN_ROLE, admin),
        _allow(decrypt, ENCLAVE_ROLE, "kms:Decrypt", Condition=attested),
        _allow("AllowChamberEnclaveEncryptForWrapping", ENCLAVE_ROLE, "kms:Encrypt"),
        deny,
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def config(root_pem):
    """The emulator's configuration file."""
    trust = _allow("Trust", PRINCIPALS["operator"], "sts:AssumeRole")
    del trust["Resource"]
    trust["Condition"] = {"StringLike": {"sts:ExternalId": "*/demo/signer"}}
    credentials = []
    for who, arn in PRINCIPALS.items():
        known = CREDENTIALS[who]
        entry = {
            "accessKeyId": known["aws_access_key_id"],
            "secretAccessKey": known["aws_secret_access_key"],
            "principal": arn,
        }
        if "aws_session_token" in known:
            entry["sessionToken"] = known["aws_session_token"]
        credentials.append(entry)
    document = policy(["aa" * 48])
    keys = [{"id": f"share-{name}", "account": ACCOUNT, "policy": document} for name in "ab"]
    sign = [_allow("Root", f"{IAM}:root", "kms:*"), _allow("Sign", PRINCIPALS["operator"], "kms:Sign")]
    authority = {"Version": "2012-10-17", "Statement": sign}
    keys += [
        {"id": f"authority-{name}", "account": ACCOUNT, "policy": authority, "keySpec": spec}
        for name, spec in SIGNING_KEYS.items()
    ]
    return {
        "region": REGION,
        "accounts": [ACCOUNT],
        "nitroRootPem": root_pem,
        "credentials": credentials,
        "roles": [{"arn": ADMIN_ROLE, "trust": {"Version": "2012-10-17", "Statement": [trust]}}],
        "keys": keys,
    }


if __name__ == "__main__":
    with open(sys.argv[1], encoding="ascii") as file:
        print(json.dumps(config(file.read()), indent=2))
