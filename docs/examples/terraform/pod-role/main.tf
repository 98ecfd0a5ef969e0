# A role that the pods of one ServiceAccount get, by IRSA (oidc_provider_arn) or by EKS Pod Identity (eks_cluster_name):
# what the roles of the operator and of the chambers have in common.

variable "name" {
  description = "Name of the role."
  type        = string
}

variable "namespace" {
  description = "Namespace of the ServiceAccount."
  type        = string
}

variable "service_account" {
  description = "Name of the ServiceAccount."
  type        = string
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

locals {
  issuer = try(split("oidc-provider/", var.oidc_provider_arn)[1], "")
}

data "aws_iam_policy_document" "trust" {
  dynamic "statement" {
    for_each = var.oidc_provider_arn == "" ? [] : [1]
    content {
      sid     = "IRSA"
      actions = ["sts:AssumeRoleWithWebIdentity"]
      principals {
        type        = "Federated"
        identifiers = [var.oidc_provider_arn]
      }
      condition {
        test     = "StringEquals"
        variable = "${local.issuer}:sub"
        values   = ["system:serviceaccount:${var.namespace}:${var.service_account}"]
      }
      condition {
        test     = "StringEquals"
        variable = "${local.issuer}:aud"
        values   = ["sts.amazonaws.com"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.eks_cluster_name == "" ? [] : [1]
    content {
      sid = "PodIdentity"
      # Pod Identity tags the session with cluster, namespace and ServiceAccount, and fails without the right to.
      actions = ["sts:AssumeRole", "sts:TagSession"]
      principals {
        type        = "Service"
        identifiers = ["pods.eks.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:RequestTag/kubernetes-namespace"
        values   = [var.namespace]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:RequestTag/kubernetes-service-account"
        values   = [var.service_account]
      }
    }
  }
}

resource "aws_iam_role" "this" {
  name               = var.name
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_eks_pod_identity_association" "this" {
  count           = var.eks_cluster_name == "" ? 0 : 1
  cluster_name    = var.eks_cluster_name
  namespace       = var.namespace
  service_account = var.service_account
  role_arn        = aws_iam_role.this.arn
}

output "id" {
  description = "For the policies of the role."
  value       = aws_iam_role.this.id
}

output "arn" {
  description = "ARN of the role."
  value       = aws_iam_role.this.arn
}
