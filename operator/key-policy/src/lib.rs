//! A KMS key policy as a value: parse, compare, project, lint, evaluate.
