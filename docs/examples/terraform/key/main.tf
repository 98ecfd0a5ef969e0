# One key with the five statements, made by its holder: once for each share, in the account and Region of the key.
#
# Managed:  the operator writes the policy, through a role of this key alone.
# Observed: the holder writes it, and the operator has a role that reads. No role that may write is anybody's but the holder's.
#
# It starts with a value that no image has: nobody can decrypt until the first release is admitted.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 5.30" }
  }
}

variable "share" {
  description = "Name of the share: spec.keys.shares[].name."
  type        = string
}

variable "cluster_id" {
  description = "clusterId of the ChamberCluster: <env>-<region>-<purpose>, used once."
  type        = string
}

variable "enclave_role_account_id" {
  description = "Account of the enclave role: spec.keys.enclaveRoleAccountId."
  type        = string
}

variable "operator_role_arn" {
  description = "Role of the operator (output of operator-role)."
  type        = string
}

variable "external_ids" {
  description = "status.externalId of the ChamberCluster: <uid of namespace kube-system>/<namespace>/<uid of that namespace>/<name>. Nobody else borrows this key."
  type        = list(string)
}

variable "management" {
  description = "spec.keys.shares[].management."
  type        = string
  default     = "Managed"

  validation {
    condition     = contains(["Managed", "Observed"], var.management)
    error_message = "management is Managed or Observed."
  }
}

variable "holder_admin_role_arn" {
  description = "Observed: the holder's own role that administers the key. It has to exist."
  type        = string
  default     = ""
}

variable "profile" {
  description = "spec.keys.policy.profile."
  type        = string
  default     = "Pinned"

  validation {
    condition     = contains(["Standard", "Pinned"], var.profile)
    error_message = "profile is Standard or Pinned."
  }
}

variable "allowed_image_sha384s" {
  description = "Observed: the ImageSha384 values that status.keys[] and `kubectl chamber plan` ask for. None: nobody is admitted. Of a Managed key the operator writes them."
  type        = list(string)
  default     = []
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  managed = var.management == "Managed"
  # What KMS makes of an empty list is uncertain; no image has this value.
  nobody       = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
  images       = coalescelist(var.allowed_image_sha384s, [local.nobody])
  partition    = data.aws_partition.this.partition
  root         = "arn:${local.partition}:iam::${data.aws_caller_identity.this.account_id}:root"
  enclave_role = "arn:${local.partition}:iam::${var.enclave_role_account_id}:role/ChamberEnclaveRole-${var.cluster_id}"
  admin_role   = local.managed ? one(aws_iam_role.admin[*].arn) : var.holder_admin_role_arn
  key_arn      = local.managed ? one(aws_kms_key.managed[*].arn) : one(aws_kms_key.observed[*].arn)
}

data "aws_iam_policy_document" "chamber_kms" {
  statement {
    sid       = "EnableIAMRootPermissionsBreakGlass"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = [local.root]
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
      identifiers = [local.admin_role]
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
      values   = local.images
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

  # Profile Pinned: who is not admitted is denied, whatever IAM allows.
  dynamic "statement" {
    for_each = var.profile == "Pinned" ? [1] : []
    content {
      sid    = "DenyDataOpsWithOtherImageSha384"
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
        test     = "StringNotEqualsIgnoreCase"
        variable = "kms:RecipientAttestation:ImageSha384"
        values   = local.images
      }
    }
  }
}

# The operator writes the policy of a Managed key, and its tags say whose the key is and what was revoked.
resource "aws_kms_key" "managed" {
  count                   = local.managed ? 1 : 0
  description             = "Share ${var.share} of the master key of ${var.cluster_id}"
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.chamber_kms.json

  lifecycle {
    prevent_destroy = true
    ignore_changes  = [policy, tags, tags_all]
  }
}

# The holder writes the policy of an Observed key: here.
resource "aws_kms_key" "observed" {
  count                   = local.managed ? 0 : 1
  description             = "Share ${var.share} of the master key of ${var.cluster_id}"
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.chamber_kms.json

  lifecycle {
    prevent_destroy = true
    ignore_changes  = [tags, tags_all]

    precondition {
      condition     = var.holder_admin_role_arn != ""
      error_message = "holder_admin_role_arn is needed for an Observed key: without a role that administers it only the account's root could change it."
    }
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
      values   = var.external_ids
    }
  }

  # An operator that has its role by Pod Identity brings session tags, and they go on with it.
  statement {
    actions = ["sts:TagSession"]
    principals {
      type        = "AWS"
      identifiers = [var.operator_role_arn]
    }
  }
}

# The key's policy names this role, so it needs no policy of its own. The operator ends each of its sessions at one key
# and at the calls that it makes.
resource "aws_iam_role" "admin" {
  count              = local.managed ? 1 : 0
  name               = substr("ChamberKmsKeyAdmin-${var.share}-${var.cluster_id}", 0, 64)
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role" "reader" {
  count              = local.managed ? 0 : 1
  name               = substr("ChamberKmsKeyReader-${var.share}-${var.cluster_id}", 0, 64)
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "read" {
  statement {
    # The last two show what goes beside the policy: grants, and the policy of a resource share.
    actions   = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListResourceTags", "kms:ListGrants", "kms:ListKeyPolicies"]
    resources = [local.key_arn]
  }
}

resource "aws_iam_role_policy" "reader" {
  count  = local.managed ? 0 : 1
  role   = aws_iam_role.reader[0].id
  policy = data.aws_iam_policy_document.read.json
}

output "key_arn" {
  description = "For spec.keys.shares[].arn."
  value       = local.key_arn
}

output "role_arn" {
  description = "For spec.keys.shares[].assumeRoleArn."
  value       = local.managed ? one(aws_iam_role.admin[*].arn) : one(aws_iam_role.reader[*].arn)
}
