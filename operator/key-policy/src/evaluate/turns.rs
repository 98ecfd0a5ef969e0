//! What turns an answer by one unknown alone.

use super::search::Search;

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

impl Search<'_> {
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
        match (all_tried, self.stands_for_all(index)) {
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
}
