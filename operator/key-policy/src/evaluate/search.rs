//! Values of what is not known that turn an answer.
//!
//! An answer that is decided while something is unknown is the same for all values of that: so much need not be tried.

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

/// What turns the answer by one unknown alone.
#[derive(Clone, Copy)]
pub enum Turns {
    /// The example with which it is allowed, and the one with which it is denied.
    By(usize, usize),
    /// Nothing, whatever this one and the others are.
    Never,
    /// None of the examples, which do not stand for every value.
    NotByExamples,
    /// Nothing that was tried, and not all examples were.
    NotSeen,
}

impl Turns {
    fn is_open(self) -> bool {
        matches!(self, Self::NotSeen)
    }
}

/// A search among the examples of what is unknown.
pub struct Search<'a> {
    trial: Trial<'a>,
    unknowns: &'a [Unknown],
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
            denied: Some(Vec::new()),
            ..Both::default()
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
        order.sort_by_key(|index| !unknowns[*index].exhausted);
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
        both.proven &= self.unknowns[*first].exhausted;
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

    /// What turns the answer by each unknown alone: around these two, then wherever there is time to look.
    pub fn turning(&mut self, allowed: &[usize], denied: &[usize]) -> Vec<Turns> {
        let mut turns = vec![Turns::NotSeen; self.unknowns.len()];
        let mut look = |search: &mut Self, at: &dyn Fn(&mut Self, usize) -> Turns| {
            let mut open = turns.iter().filter(|one| one.is_open()).count();
            for (index, turns) in turns
                .iter_mut()
                .enumerate()
                .filter(|(_, one)| one.is_open())
            {
                let later = search.trial.left - search.trial.left / open;
                search.trial.left -= later;
                *turns = at(search, index);
                search.trial.left += later;
                open -= 1;
            }
        };
        for (completion, allows) in [(allowed, true), (denied, false)] {
            self.choose_all(|index| completion.get(index).copied());
            look(self, &|search, index| {
                search.alone(index, completion[index], allows)
            });
        }
        for completion in [allowed, denied] {
            self.choose_all(|index| completion.get(index).copied());
            look(self, &|search, index| {
                search.around(completion, index, &search.beside(index))
            });
        }
        self.choose_all(|_| None);
        look(self, &|search, index| {
            search.wherever(index, &search.order(index))
        });
        turns
    }

    /// What turns it while all others are as they are, where this choice allows it, or does not.
    fn alone(&mut self, index: usize, chosen: usize, allows: bool) -> Turns {
        let examples = &self.unknowns[index].examples;
        // A set may be larger than it has to be.
        let mut same = (examples[chosen].len() <= 1).then_some(chosen);
        let mut turned = None;
        for other in (0..examples.len()).rev().filter(|other| *other != chosen) {
            if turned.is_some() && same.is_some() {
                break;
            }
            self.choose(index, Some(other));
            match self.trial.allows() {
                Some(answer) if answer == allows => same = same.or(Some(other)),
                Some(_) => turned = turned.or(Some(other)),
                None => {}
            }
        }
        self.choose(index, Some(chosen));
        let same = same.unwrap_or(chosen);
        match turned {
            None => Turns::NotSeen,
            Some(turned) if allows => Turns::By(same, turned),
            Some(turned) => Turns::By(turned, same),
        }
    }

    /// What turns it while all but these others are as they are, which is as in this completion.
    fn around(&mut self, completion: &[usize], index: usize, others: &[usize]) -> Turns {
        for other in others {
            self.choose(*other, None);
        }
        let turns = self.wherever(index, others);
        for changed in others.iter().chain([&index]) {
            self.choose(*changed, completion.get(*changed).copied());
        }
        match turns {
            // What turns nothing here may do so elsewhere.
            Turns::Never | Turns::NotByExamples => Turns::NotSeen,
            turns => turns,
        }
    }

    /// Those that share a statement with one.
    fn beside(&self, of: usize) -> Vec<usize> {
        let others = (0..self.unknowns.len()).filter(|other| *other != of);
        let shared = |other: &usize| {
            let shared = &self.unknowns[of].used_in;
            !shared.is_disjoint(&self.unknowns[*other].used_in)
        };
        others.filter(shared).collect()
    }

    /// Those that share no statement with one come first, to be left as they are as long as they can.
    fn order(&self, of: usize) -> Vec<usize> {
        let near = self.beside(of);
        let others = (0..self.unknowns.len()).filter(|other| *other != of);
        let far: Vec<_> = others.filter(|other| !near.contains(other)).collect();
        [far, near].concat()
    }

    /// What the examples of one unknown do where the others are as they are.
    fn here(&mut self, index: usize) -> Turns {
        self.choose(index, None);
        if self.trial.allows().is_some() {
            return Turns::Never;
        }
        let (mut allowed, mut denied, mut all) = (None, None, true);
        for choice in (0..self.unknowns[index].examples.len()).rev() {
            self.choose(index, Some(choice));
            match self.trial.allows() {
                Some(true) => allowed = allowed.or(Some(choice)),
                Some(false) => denied = denied.or(Some(choice)),
                None => all = false,
            }
            if let (Some(allowed), Some(denied)) = (allowed, denied) {
                return Turns::By(allowed, denied);
            }
        }
        self.never(all, index)
    }

    /// What follows where no example of this one turned anything.
    fn never(&self, all_tried: bool, index: usize) -> Turns {
        match (all_tried, self.unknowns[index].exhausted) {
            (true, true) => Turns::Never,
            (true, false) => Turns::NotByExamples,
            (false, _) => Turns::NotSeen,
        }
    }

    /// What one unknown does wherever these others can be.
    fn wherever(&mut self, index: usize, others: &[usize]) -> Turns {
        let here = self.here(index);
        self.choose(index, None);
        let (Turns::NotSeen, Some((other, rest))) = (here, others.split_first()) else {
            return here;
        };
        let mut found = self.never(true, *other);
        for choice in (0..self.unknowns[*other].examples.len()).rev() {
            if self.trial.left == 0 {
                found = Turns::NotSeen;
                break;
            }
            self.choose(*other, Some(choice));
            found = match (self.wherever(index, rest), found) {
                (turns @ Turns::By(..), _) => {
                    self.choose(*other, None);
                    return turns;
                }
                (Turns::Never, found) => found,
                (Turns::NotSeen, _) | (_, Turns::NotSeen) => Turns::NotSeen,
                (Turns::NotByExamples, _) => Turns::NotByExamples,
            };
        }
        self.choose(*other, None);
        found
    }

    fn choose(&mut self, index: usize, choice: Option<usize>) {
        self.chosen[index] = choice;
        self.trial.choose(index, choice);
    }

    fn choose_all(&mut self, choice: impl Fn(usize) -> Option<usize>) {
        for index in 0..self.unknowns.len() {
            self.choose(index, choice(index));
        }
    }
}
