# One key with the five statements, made by its holder. It starts with a value that no image has: nobody can decrypt
# until the operator (or the holder, for an Observed key) admits the first release.

variable "account_id" {
  description = "Account of the key."
  type        = string
}

variable "cluster_id" {
  description = "clusterId of the ChamberCluster: <env>-<region>-<purpose>, used once."
  type        = string
}

variable "enclave_role_account_id" {
  description = "Account of the enclave role."
  type        = string
}

variable "operator_role_arn" {
  description = "Role of the operator (IRSA or Pod Identity)."
  type        = string
}

variable "external_id" {
  description = "status.externalId of the ChamberCluster, <uid of namespace kube-system>/<namespace>/<uid of that namespace>/<name>: nobody else borrows this key."
  type        = string
}

variable "allowed_image_sha384s" {
  description = "Admitted ImageSha384 values; for an Observed key the holder writes them here. None: nobody is admitted."
  type        = list(string)
  default     = []
}

locals {
  # What KMS makes of an empty list is uncertain; no image has this value.
  nobody       = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
  enclave_role = "arn:aws:iam::${var.enclave_role_account_id}:role/ChamberEnclaveRole-${var.cluster_id}"
}

data "aws_iam_policy_document" "chamber_kms" {
  statement {
    sid       = "EnableIAMRootPermissionsBreakGlass"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${var.account_id}:root"]
    }
  }

  statement {
    sid = "AllowKeyAdministrators"
    actions = [
      "kms:Create*", "kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*", "kms:Revoke*",
      "kms:Disable*", "kms:Get*", "kms:Delete*", "kms:TagResource", "kms:UntagResource",
      "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion",
    ]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.key_admin.arn]
    }
  }

  statement {
    sid       = "AllowChamberEnclaveDecryptWithAttestation"
    actions   = ["kms:Decrypt"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = [local.enclave_role]
    }
    condition {
      test     = "StringEqualsIgnoreCase"
      variable = "kms:RecipientAttestation:ImageSha384"
      values   = coalescelist(var.allowed_image_sha384s, [local.nobody])
    }
  }

  statement {
    sid       = "AllowChamberEnclaveEncryptForWrapping"
    actions   = ["kms:Encrypt"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = [local.enclave_role]
    }
  }

  statement {
    sid    = "DenyDataOpsWithoutAttestation"
    effect = "Deny"
    actions = [
      "kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair", "kms:GenerateDataKeyPairWithoutPlaintext",
      "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo",
    ]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "Null"
      variable = "kms:RecipientAttestation:ImageSha384"
      values   = ["true"]
    }
  }
}

resource "aws_kms_key" "chamber" {
  description             = "One share of the master key of ${var.cluster_id}"
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.chamber_kms.json

  lifecycle {
    # The operator writes the policy of a Managed key, and its tags say whose the key is and what was revoked.
    # For an Observed key, leave only the tags here.
    ignore_changes = [policy, tags, tags_all]
  }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = [var.operator_role_arn]
    }
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.external_id]
    }
  }
}

resource "aws_iam_role" "key_admin" {
  name               = "ChamberKmsKeyAdmin"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

# For an Observed key: the operator reads through this role and writes nothing.
resource "aws_iam_role" "key_reader" {
  name               = "ChamberKmsKeyReader"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "read" {
  statement {
    # The last two show what goes beside the policy: grants, and the policy of a resource share.
    actions   = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListResourceTags", "kms:ListGrants", "kms:ListKeyPolicies"]
    resources = [aws_kms_key.chamber.arn]
  }
}

resource "aws_iam_role_policy" "key_reader" {
  role   = aws_iam_role.key_reader.id
  policy = data.aws_iam_policy_document.read.json
}

output "key_arn" {
  description = "For spec.keys.shares[].arn."
  value       = aws_kms_key.chamber.arn
}

output "admin_role_arn" {
  description = "For spec.keys.shares[].assumeRoleArn."
  value       = aws_iam_role.key_admin.arn
}

output "reader_role_arn" {
  description = "For spec.keys.shares[].assumeRoleArn of an Observed key."
  value       = aws_iam_role.key_reader.arn
}
