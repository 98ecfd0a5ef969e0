//! One request after another: of what is not known some has a value, and the rest stays unknown.

use super::context::Context;
use super::principal::Principal;
use super::request::{Decision, Identity, Request};
use super::unknowns::{Unknown, What};
use super::verdict::{Asked, Verdict, everything};
use crate::Policy;

/// Values of policies that are compared at most: what an answer may cost.
const MOST_WORK: usize = 1_000_000;

/// What is tried.
pub struct Trial<'a> {
    asked: Asked<'a>,
    request: Request<'a>,
    unknowns: &'a [Unknown],
    context: Context,
    resource: String,
    principal: Principal,
    /// How many more answers may be asked for.
    pub left: usize,
}

impl<'a> Trial<'a> {
    /// Nothing has a value yet.
    pub fn of(asked: &Asked<'a>, request: &Request<'a>, unknowns: &'a [Unknown]) -> Self {
        let identity = match asked.identity {
            Identity::Policies(policies) => policies,
            Identity::Unknown => &[],
        };
        let policies = identity.iter().chain([asked.policy]);
        Self {
            asked: *asked,
            request: *request,
            unknowns,
            context: request.context.clone(),
            resource: request.resource.to_owned(),
            principal: request.principal.clone(),
            left: MOST_WORK / policies.map(work).sum::<usize>().max(1),
        }
    }

    /// Gives an unknown one of its examples, or makes it unknown again.
    pub fn choose(&mut self, index: usize, choice: Option<usize>) {
        let unknown = &self.unknowns[index];
        let values = choice.and_then(|choice| unknown.examples.get(choice));
        match unknown.what {
            What::Key => match values {
                Some(values) => self.context.set(&unknown.name, values.iter().cloned()),
                None => self.context.unset(&unknown.name),
            },
            What::Resource => {
                let arn = values.and_then(|values| values.first());
                self.resource = arn.map_or(self.request.resource, |arn| arn).to_owned();
            }
            What::Session => {
                let arn = &self.request.principal.arn;
                let name = values.and_then(|values| values.first());
                let named = |name: &String| arn.replace('*', name);
                self.principal.arn = name.map_or_else(|| arn.clone(), named);
            }
            What::Iam => {
                self.asked.identity = match values.map(Vec::as_slice) {
                    None => Identity::Unknown,
                    Some([]) => Identity::Policies(&[]),
                    Some(_) => Identity::Policies(everything()),
                }
            }
        }
    }

    /// Whether it is allowed whatever is still unknown; `None` where that may decide, or no more may be asked.
    pub fn allows(&mut self) -> Option<bool> {
        self.left = self.left.checked_sub(1)?;
        match self.verdict() {
            Verdict::Decided(decision) => Some(decision.is_allowed()),
            Verdict::Open { .. } => None,
        }
    }

    /// The answer as it is now.
    pub fn decision(&self) -> Decision {
        match self.verdict() {
            Verdict::Decided(decision) => decision,
            Verdict::Open { by } => Decision::Depends { by, on: Vec::new() },
        }
    }

    fn verdict(&self) -> Verdict {
        self.asked.verdict(&Request {
            principal: &self.principal,
            resource: &self.resource,
            context: &self.context,
            ..self.request
        })
    }
}

/// What one answer costs.
fn work(policy: &Policy) -> usize {
    let statements = policy.statements().iter();
    let each = statements.map(|one| {
        let resources = one.resources.iter().map(|one| one.listed.len());
        let values = one.conditions.iter().map(|one| 1 + one.values.len());
        1 + resources.chain(values).sum::<usize>()
    });
    each.sum()
}
