# What the people of the Kubernetes cluster apply: the operator's role, the chambers' role, and the key that the operator manages.
# The keys of other holders are theirs to make (../holder).

variable "oidc_provider_arn" {
  description = "ARN of the EKS cluster's OIDC provider: aws iam list-open-id-connect-providers."
  type        = string
}

variable "external_id" {
  description = "<uid of namespace kube-system>/<namespace>/<uid of that namespace>/<name>."
  type        = string
}

variable "holders_role_arns" {
  description = "Outputs role_arn of the holders' keys, once they have made them."
  type        = list(string)
  default     = []
}

variable "holders_key_arns" {
  description = "Outputs key_arn of the holders' keys."
  type        = list(string)
  default     = []
}

data "aws_caller_identity" "this" {}

locals {
  cluster_id = "prod-us-east-1-mainnet"
}

module "operator" {
  source            = "../operator-role"
  oidc_provider_arn = var.oidc_provider_arn
  key_role_arns     = concat([module.key_a.role_arn], var.holders_role_arns)
}

module "chambers" {
  source            = "../enclave-role"
  cluster_id        = local.cluster_id
  namespace         = "chambers"
  service_account   = "signer"
  oidc_provider_arn = var.oidc_provider_arn
  key_arns          = var.holders_key_arns
}

module "key_a" {
  source                  = "../key"
  share                   = "a"
  cluster_id              = local.cluster_id
  enclave_role_account_id = data.aws_caller_identity.this.account_id
  operator_role_arn       = module.operator.role_arn
  external_ids            = [var.external_id]

  # KMS takes no policy that names a role which does not exist.
  depends_on = [module.chambers]
}

output "share_a" {
  description = "For spec.keys.shares."
  value       = { arn = module.key_a.key_arn, assumeRoleArn = module.key_a.role_arn }
}
