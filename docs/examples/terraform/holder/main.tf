# What the holder of an Observed key applies, in an account of their own. The people of the Kubernetes cluster send the
# values of the first four; the holder sends back the output.

variable "operator_role_arn" {
  type = string
}

variable "enclave_role_account_id" {
  type = string
}

variable "external_id" {
  type = string
}

variable "allowed_image_sha384s" {
  description = "What `kubectl chamber plan` asks for: two images while a release is rolled out, one afterwards."
  type        = list(string)
  default     = []
}

variable "holder_admin_role_arn" {
  description = "The role that you administer this key with: no role of the operator's."
  type        = string
}

module "key_b" {
  source                  = "../key"
  share                   = "b"
  management              = "Observed"
  cluster_id              = "prod-us-east-1-mainnet"
  enclave_role_account_id = var.enclave_role_account_id
  operator_role_arn       = var.operator_role_arn
  external_ids            = [var.external_id]
  holder_admin_role_arn   = var.holder_admin_role_arn
  allowed_image_sha384s   = var.allowed_image_sha384s
}

output "share_b" {
  description = "For spec.keys.shares."
  value       = { arn = module.key_b.key_arn, assumeRoleArn = module.key_b.role_arn }
}
