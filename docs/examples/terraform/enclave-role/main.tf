# The role that the chambers' pods run as: once for each ChamberCluster, in the account of the EKS cluster
# (spec.keys.enclaveRoleAccountId). It comes to the pods by IRSA (oidc_provider_arn) or by EKS Pod Identity.

variable "cluster_id" {
  description = "clusterId of the ChamberCluster."
  type        = string
}

variable "namespace" {
  description = "Namespace of the ChamberCluster."
  type        = string
}

variable "service_account" {
  description = "ServiceAccount that the chambers' template names."
  type        = string
}

variable "key_arns" {
  description = "ARNs of the shares' keys. Those of this account are left out of the role's policy: their key policies are enough, and an identity policy would open them to any image (see docs/key-policies.md)."
  type        = list(string)
}

variable "eks_cluster_name" {
  description = "Name of the EKS cluster, for Pod Identity; empty where IRSA is used."
  type        = string
  default     = ""
}

variable "oidc_provider_arn" {
  description = "ARN of the EKS cluster's OIDC provider, for IRSA; empty where Pod Identity is used."
  type        = string
  default     = ""
}

data "aws_caller_identity" "this" {}

locals {
  foreign_keys = [for arn in var.key_arns : arn if split(":", arn)[4] != data.aws_caller_identity.this.account_id]
}

module "role" {
  source            = "../pod-role"
  name              = "ChamberEnclaveRole-${var.cluster_id}"
  namespace         = var.namespace
  service_account   = var.service_account
  eks_cluster_name  = var.eks_cluster_name
  oidc_provider_arn = var.oidc_provider_arn
}

moved {
  from = aws_iam_role.enclave
  to   = module.role.aws_iam_role.this
}

moved {
  from = aws_eks_pod_identity_association.chambers
  to   = module.role.aws_eks_pod_identity_association.this
}

data "aws_iam_policy_document" "keys" {
  count = length(local.foreign_keys) == 0 ? 0 : 1

  statement {
    # A key of another account needs both: its key policy, and this.
    actions   = ["kms:Decrypt", "kms:Encrypt"]
    resources = local.foreign_keys
  }
}

resource "aws_iam_role_policy" "keys" {
  count  = length(local.foreign_keys) == 0 ? 0 : 1
  role   = module.role.id
  policy = data.aws_iam_policy_document.keys[0].json
}

output "role_arn" {
  description = "For the annotation eks.amazonaws.com/role-arn of the ServiceAccount, where IRSA is used."
  value       = module.role.arn
}
