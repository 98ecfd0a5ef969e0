//! One request after another: of what is not known some has a value, and the rest stays unknown.

use super::candidates::Candidate;
use super::condition::Chosen;
use super::principal::{Naming, Principal};
use super::request::{Decision, Request};
use super::truth::Truth;
use super::unknowns::{Unknown, What};
use super::verdict::{Deciding, Verdict, View};

/// Values of policies that are compared at most: what an answer may cost.
pub const MOST_WORK: usize = 1_000_000;

/// What is tried.
pub struct Trial<'a> {
    deciding: &'a Deciding<'a>,
    request: Request<'a>,
    unknowns: &'a [Unknown],
    chosen: Chosens<'a>,
    /// How many more answers may be asked for.
    pub left: usize,
    /// What one of them costs.
    cost: usize,
}

/// What is taken for what is not known.
struct Chosens<'a> {
    keys: Vec<Chosen<'a>>,
    resource: &'a str,
    /// A session with its name.
    session: Option<Principal>,
    iam: Truth,
}

impl<'a> Trial<'a> {
    /// Nothing has a value yet.
    pub fn of(deciding: &'a Deciding<'a>, request: &Request<'a>, unknowns: &'a [Unknown]) -> Self {
        Self::within(MOST_WORK, deciding, request, unknowns)
    }

    /// The same where no more than this may be compared.
    pub fn within(
        work_left: usize,
        deciding: &'a Deciding<'a>,
        request: &Request<'a>,
        unknowns: &'a [Unknown],
    ) -> Self {
        let unchosen = |one: &'a Unknown| Chosen {
            key: &one.name,
            values: None,
        };
        let statements = deciding.of_key.iter().chain(&deciding.of_iam);
        let cost = statements.map(work).sum::<usize>().max(1);
        Self {
            deciding,
            request: *request,
            unknowns,
            chosen: Chosens {
                keys: unknowns.iter().map(unchosen).collect(),
                resource: request.resource,
                session: None,
                iam: Truth::Unknown,
            },
            left: work_left / cost,
            cost,
        }
    }

    /// How much more may be compared.
    pub fn work_left(&self) -> usize {
        self.left * self.cost
    }

    /// Gives an unknown one of its examples, or makes it unknown again.
    pub fn choose(&mut self, index: usize, choice: Option<usize>) {
        let unknown = &self.unknowns[index];
        let values = choice.and_then(|choice| unknown.examples.get(choice));
        let values = values.map(Vec::as_slice);
        let first = values.and_then(<[String]>::first);
        match unknown.what {
            What::Key => self.chosen.keys[index].values = values,
            What::Resource => {
                self.chosen.resource = first.map_or(self.request.resource, String::as_str);
            }
            What::Session => {
                self.chosen.session = first.map(|name| {
                    let mut principal = self.request.principal.clone();
                    principal.arn = principal.arn.replace('*', name);
                    principal
                });
            }
            What::Iam => {
                self.chosen.iam =
                    values.map_or(Truth::Unknown, |values| Truth::from(!values.is_empty()));
            }
        }
    }

    /// Whether it is allowed whatever is still unknown; `None` where that may decide, or no more may be asked.
    pub fn allows(&mut self) -> Option<bool> {
        self.left = self.left.checked_sub(1)?;
        self.deciding.allows(&self.chosen)
    }

    /// The answer as it is now.
    pub fn decision(&self) -> Decision {
        match self.deciding.verdict_of(&self.chosen) {
            Verdict::Decided(decision) => decision,
            Verdict::Open { by } => Decision::Depends { by, on: Vec::new() },
        }
    }
}

impl View for Chosens<'_> {
    fn holds(&self, candidate: &Candidate<'_>) -> Truth {
        candidate.holds_with(self.resource, &self.keys)
    }

    fn names(&self, candidate: &Candidate<'_>) -> Naming {
        let of_session = self.session.as_ref();
        of_session.map_or(candidate.named, |session| candidate.names(session))
    }

    fn iam(&self) -> Truth {
        self.iam
    }
}

/// What it costs to look at a statement once more.
fn work(candidate: &Candidate<'_>) -> usize {
    let resources = candidate.statement.resources.iter();
    let resources = resources.map(|one| one.listed.len());
    let values = candidate.open.iter().map(|one| 1 + one.values.len());
    1 + resources.chain(values).sum::<usize>()
}
