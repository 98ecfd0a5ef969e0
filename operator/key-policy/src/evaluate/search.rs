//! A completion of what is not known with which a request is allowed, and one with which it is denied.
//!
//! An answer that is decided while something is unknown is the same for all values of that: so much need not be tried.

use super::examples::StandFor;
use super::trial::Trial;
use super::unknowns::Unknown;

/// One example of each unknown.
type Completion = Vec<usize>;

/// With what it is allowed and with what denied, as far as that was found.
#[derive(Default)]
pub struct Both {
    /// A completion with which it is allowed.
    pub allowed: Option<Completion>,
    /// One with which it is denied.
    pub denied: Option<Completion>,
    /// Whether what is missing was looked for with all examples.
    pub all_tried: bool,
    /// Whether it is missing because no value of anything gives it.
    pub proven: bool,
}

impl Both {
    /// Whether it depends.
    fn is_complete(&self) -> bool {
        self.allowed.is_some() && self.denied.is_some()
    }
}

/// A search among the examples of what is unknown.
pub struct Search<'a> {
    /// What is asked.
    pub trial: Trial<'a>,
    /// What is not known.
    pub unknowns: &'a [Unknown],
    chosen: Vec<Option<usize>>,
}

impl<'a> Search<'a> {
    /// Nothing is tried yet.
    pub fn of(trial: Trial<'a>, unknowns: &'a [Unknown]) -> Self {
        Self {
            trial,
            unknowns,
            chosen: vec![None; unknowns.len()],
        }
    }

    /// Looks for a completion that is allowed and one that is denied, with half of what may be asked.
    pub fn both(&mut self) -> Both {
        let reserved = self.trial.left / 2;
        self.trial.left -= reserved;
        let mut both = Both::default();
        self.look(&mut both);
        self.trial.left += reserved;
        both
    }

    /// Whether nothing allows it. One completion that does is enough to know.
    pub fn is_never_allowed(&mut self) -> bool {
        let mut both = Both {
            allowed: None,
            denied: Some(Vec::new()),
            all_tried: false,
            proven: false,
        };
        self.look(&mut both);
        both.proven && both.allowed.is_none()
    }

    /// Looks for what is missing.
    fn look(&mut self, both: &mut Both) {
        let unknowns = self.unknowns;
        // The plainest of all, then what policies name: most answers turn between these.
        self.choose_all(|index| unknowns[index].examples.len().checked_sub(1));
        self.note(both);
        if !both.is_complete() {
            self.choose_all(|_| Some(0));
            self.note(both);
        }
        if both.is_complete() {
            return;
        }
        self.choose_all(|_| None);
        // What has other values than its examples comes last, for it may not have to be asked.
        let mut order: Vec<_> = (0..unknowns.len()).collect();
        order.sort_by_key(|index| std::cmp::Reverse(unknowns[*index].stand_for));
        both.proven = true;
        both.all_tried = self.explore(&order, both);
        both.proven &= both.all_tried;
    }

    /// Keeps what is chosen, where it is the first that is allowed or denied. Whether it is one of these.
    fn note(&mut self, both: &mut Both) -> bool {
        let Some(allows) = self.trial.allows() else {
            return false;
        };
        let found = if allows {
            &mut both.allowed
        } else {
            &mut both.denied
        };
        // The last example is the plainest: an absent key.
        let last = |(chosen, unknown): (&Option<usize>, &Unknown)| {
            chosen.unwrap_or(unknown.examples.len().saturating_sub(1))
        };
        let completion = || self.chosen.iter().zip(self.unknowns).map(last).collect();
        found.get_or_insert_with(completion);
        true
    }

    /// Tries these, until both are found; whether nothing was left out.
    fn explore(&mut self, order: &[usize], both: &mut Both) -> bool {
        if both.is_complete() || self.trial.left == 0 {
            return false;
        }
        if self.note(both) {
            return true;
        }
        let Some((first, rest)) = order.split_first() else {
            return false;
        };
        both.proven &= self.stands_for_all(*first);
        let mut all = true;
        for choice in (0..self.unknowns[*first].examples.len()).rev() {
            self.choose(*first, Some(choice));
            all &= self.explore(rest, both);
            if !all {
                break;
            }
        }
        self.choose(*first, None);
        all
    }

    /// Whether the examples of one unknown stand for all its values, as long as what is not chosen now stays so.
    pub fn stands_for_all(&self, index: usize) -> bool {
        let unknown = &self.unknowns[index];
        let mut beside = unknown.compared_with.iter();
        match unknown.stand_for {
            StandFor::Themselves => false,
            StandFor::AllButForVariables => beside.all(|other| self.chosen[*other].is_none()),
            StandFor::All => true,
        }
    }

    /// Gives an unknown one of its examples, or makes it unknown again.
    pub fn choose(&mut self, index: usize, choice: Option<usize>) {
        self.chosen[index] = choice;
        self.trial.choose(index, choice);
    }

    /// The same of all of them.
    pub fn choose_all(&mut self, choice: impl Fn(usize) -> Option<usize>) {
        for index in 0..self.unknowns.len() {
            self.choose(index, choice(index));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Policy;
    use crate::evaluate::verdict::{Asked, Deciding};
    use crate::evaluate::{Context, Identity, Principal, Request, unknowns::unknowns};

    /// Two statements of which nobody can say whether they hold, and that together allow nothing.
    const NEVER: &str = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
         "Condition": {"StringEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"], "aws:SourceVpc": "vpc-1"}}},
        {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
         "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}]}"#;

    /// What is proven where so many answers may be asked for.
    fn proven(left: usize) -> bool {
        let policy = Policy::parse(NEVER).unwrap();
        let principal =
            Principal::session("arn:aws:iam::111122223333:role/app", "111122223333", "s");
        let context = Context::open();
        let request = Request {
            principal: &principal,
            action: "kms:Decrypt",
            resource: "arn:aws:kms:us-east-1:111122223333:key/k",
            context: &context,
        };
        let asked = Asked {
            policy: &policy,
            key_account: "111122223333",
            identity: Identity::Policies(&[]),
        };
        let deciding = Deciding::of(&asked, &request);
        let unknowns = unknowns(&deciding, &request);
        let mut trial = Trial::of(&deciding, &request, &unknowns);
        trial.left = left;
        let mut both = Both::default();
        Search::of(trial, &unknowns).look(&mut both);
        assert_eq!(both.allowed, None);
        both.proven
    }

    #[test]
    fn what_was_not_tried_is_not_proven() {
        let enough = (0..100).find(|left| proven(*left)).unwrap();
        assert!(enough > 4, "{enough} is too few to show anything");
        assert!((0..enough).all(|left| !proven(left)));
        assert!((enough..100).all(proven));
    }
}
