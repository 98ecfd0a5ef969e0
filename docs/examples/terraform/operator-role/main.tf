# The role of the operator: once for each Kubernetes cluster. It may assume the roles of the keys (module key), and nothing
# else: what it may do to a key is in that key's policy, and its holder decides who may assume the role.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 5.30" }
  }
}

variable "key_role_arns" {
  description = "Roles of the keys that the operator may assume (outputs role_arn of key): every one, or patterns such as arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin-prod-*."
  type        = list(string)
}

variable "namespace" {
  description = "Namespace of the operator."
  type        = string
  default     = "chamber-operator"
}

variable "service_account" {
  description = "ServiceAccount of the operator."
  type        = string
  default     = "chamber-operator"
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

module "role" {
  source            = "../pod-role"
  name              = "ChamberOperator"
  namespace         = var.namespace
  service_account   = var.service_account
  eks_cluster_name  = var.eks_cluster_name
  oidc_provider_arn = var.oidc_provider_arn
}

data "aws_iam_policy_document" "keys" {
  statement {
    # The tags of a session by Pod Identity go on into the key's role.
    actions   = ["sts:AssumeRole", "sts:TagSession"]
    resources = var.key_role_arns
  }
}

resource "aws_iam_role_policy" "keys" {
  role   = module.role.id
  policy = data.aws_iam_policy_document.keys.json
}

output "role_arn" {
  description = "For the annotation eks.amazonaws.com/role-arn of the operator's ServiceAccount, where IRSA is used; and for module key."
  value       = module.role.arn
}
